"""The message of a decision: number, binding goal's proposal, and the rule that changed it."""

import math
from collections.abc import Sequence

from borough_operator.decision.goals import Demand
from borough_operator.decision.limits import Limited, Situation
from borough_operator.decision.model import Freshness, Mode, Proposal, Reason


def explain(
    situation: Situation, result: Limited, binding: Demand | None, contradiction: str
) -> str:
    """One sentence with the numbers of the case."""
    before, after = situation.current, result.replicas
    stay = f"{_replicas(after)} stay{'s' if after == 1 else ''}"
    what = stay if before == after else f"from {before} to {_replicas(after)}"
    if situation.policy.mode is Mode.ADVISE:
        what = f"advice only: {what}"
    asks = []
    if binding is not None:
        proposal = binding.proposal
        asks = [f"{proposal.goal} asks for {proposal.replicas}, {proposal.formula}"]
    rule = _rule(situation, result, contradiction)
    sentence = "; ".join([": ".join([what, *asks]), *([rule] if rule else [])])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _replicas(number: int) -> str:
    return f"{number} replica{'' if number == 1 else 's'}"


_RULES = {
    Reason.AT_MAX: "replicas.max is {most}",
    Reason.AT_MIN: "replicas.min is {least}",
    Reason.REVERSALS: "the direction changed too often for a budget of {budget} an hour",
    Reason.AWAITING_READY: "{ready} are ready, and those added before must take effect first",
    Reason.ROLLOUT: "nothing is removed during a rollout",
    Reason.ROLLOUT_FAILING: "nothing is changed while the newest version does not become ready",
    Reason.SATURATED: "two raises did not reduce it, so the bottleneck is elsewhere",
}


def _rule(situation: Situation, result: Limited, contradiction: str) -> str:
    if result.reason is Reason.WINDOW:
        return _window(situation)
    if result.reason in {Reason.METRICS_STALE, Reason.METRICS_EMPTY, Reason.METRICS_ERROR}:
        return contradiction or _doubts([demand.proposal for demand in situation.demands])
    policy = situation.policy
    return _RULES.get(result.reason, "").format(
        most=policy.max_replicas,
        least=policy.min_replicas,
        budget=policy.behavior.reversals_per_hour,
        ready=situation.ready,
    )


def _window(situation: Situation) -> str:
    length, window = situation.policy.behavior.down_window, situation.memory.window
    if not window.full(situation.now) or window.largest == math.inf:
        seen = 0.0 if window.since is None else situation.now - window.since
        return f"only {seen:.0f} s of {length:.0f} s were observed without a gap"
    largest = f"{window.largest:.1f} were needed within {length:.0f} s"
    return f"{largest}, or the last change was just now"


def _doubts(proposals: Sequence[Proposal]) -> str:
    words = {
        Freshness.STALE: "was last read {age:.0f} s ago",
        Freshness.EMPTY: "is not known to the source",
        Freshness.ERROR: "cannot be read ({detail})",
    }
    doubts = [
        f"{p.goal} {words[p.freshness].format(age=p.age or 0.0, detail=p.detail)}"
        for p in proposals
        if p.freshness in words
    ]
    return f"{', '.join(doubts)}: nothing is removed"
