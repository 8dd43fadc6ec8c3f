"""The sentence of a decision: what happens, which goal asks for what, what stands in the way."""

import math
from collections.abc import Sequence

from borough_operator.decision.goals import Wish
from borough_operator.decision.limits import Answer, Situation
from borough_operator.decision.model import Freshness, Mode, Proposal, Reason


def tell(situation: Situation, answer: Answer, binding: Wish | None, contradiction: str) -> str:
    """One sentence for a person, with the numbers of the case."""
    before, after = situation.current, answer.replicas
    stay = f"{_replicas(after)} stay{'s' if after == 1 else ''}"
    what = stay if before == after else f"from {before} to {_replicas(after)}"
    if situation.policy.mode is Mode.ADVISE:
        what = f"advice only: {what}"
    asks = []
    if binding is not None:
        proposal = binding.proposal
        asks = [f"{proposal.goal} asks for {proposal.replicas}, {proposal.formula}"]
    why = _why(situation, answer, contradiction)
    sentence = "; ".join([": ".join([what, *asks]), *([why] if why else [])])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _replicas(number: int) -> str:
    return f"{number} replica{'' if number == 1 else 's'}"


_WHY = {
    Reason.AT_MAX: "{most} is the most that is allowed",
    Reason.AT_MIN: "{least} is the least that is allowed",
    Reason.REVERSALS: "the direction changed too often for a budget of {budget} an hour",
    Reason.AWAITING_READY: "{ready} are ready, and what was asked for has to show first",
    Reason.ROLLOUT: "nothing is removed during a rollout",
    Reason.ROLLOUT_FAILING: "nothing is changed while the newest version does not become ready",
    Reason.SATURATED: "two raises did not bring it down, so the bottleneck is elsewhere",
}


def _why(situation: Situation, answer: Answer, contradiction: str) -> str:
    """What changed the answer, where anything did."""
    if answer.reason is Reason.WINDOW:
        return _window(situation)
    if answer.reason in {Reason.METRICS_STALE, Reason.METRICS_EMPTY, Reason.METRICS_ERROR}:
        return contradiction or _doubts([wish.proposal for wish in situation.wishes])
    policy = situation.policy
    return _WHY.get(answer.reason, "").format(
        most=policy.max_replicas,
        least=policy.min_replicas,
        budget=policy.behavior.reversals_per_hour,
        ready=situation.ready,
    )


def _window(situation: Situation) -> str:
    """How far the window has come."""
    length, window = situation.policy.behavior.down_window, situation.memory.window
    if not window.full(situation.now) or window.largest == math.inf:
        seen = 0.0 if window.since is None else situation.now - window.since
        return f"only {seen:.0f} s of {length:.0f} s were seen without a gap"
    largest = f"{window.largest:.1f} were needed within {length:.0f} s"
    return f"{largest}, or the last change was just now"


def _doubts(proposals: Sequence[Proposal]) -> str:
    said = {
        Freshness.STALE: "was last read {age:.0f} s ago",
        Freshness.EMPTY: "is not known to the source",
        Freshness.ERROR: "cannot be read ({detail})",
    }
    doubts = [
        f"{p.goal} {said[p.freshness].format(age=p.age or 0.0, detail=p.detail)}"
        for p in proposals
        if p.freshness in said
    ]
    return f"{', '.join(doubts)}: nothing is removed"
