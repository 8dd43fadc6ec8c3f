"""The decision: what a target should have, and why. Pure: time and the cluster are arguments.

In this order: whose target is it (`hands`); what does each goal ask for (`goals`); which rules
change the largest of it (`limits`); what is said, and remembered, of the answer. A process removes
only what a whole window of its own has shown to be unneeded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from borough_operator.decision import goals, hands, hpa, latency, limits, message
from borough_operator.decision.goals import Wish
from borough_operator.decision.memory import (
    LONGEST_LEAD,
    Asked,
    Deeds,
    Memory,
    Shadow,
    Trial,
    Window,
)
from borough_operator.decision.model import (
    Decision,
    Goal,
    GoalType,
    History,
    Measure,
    Mode,
    Need,
    Observation,
    Policy,
    Proposal,
    Reason,
    Rollout,
)
from borough_operator.decision.reasons import DOUBTS

_PAUSE = 3.0
"""Intervals without a decision after which what went on meanwhile counts as not seen."""
_PATIENCE = 2.0
"""Lead times for which replicas that were asked for are expected."""
_LONGEST_START = 2.0 * LONGEST_LEAD
"""Seconds to be ready that are learned, at most: what took longer waited for a node."""


def decide(policy: Policy, observation: Observation, history: History, now: float) -> Decision:
    """What the target should have. `now` never goes back between two decisions of one history."""
    history = replace(
        history,
        turns=limits.known_turns(policy, history, now),
        memory=_resumed(policy, history.memory, now),
    )
    off, history = hands.look(policy, observation, history, now)
    if off is not None and off.reason in {Reason.PAUSED, Reason.SCALED_TO_ZERO}:
        return impossible(off.reason, off.message, history, observation.replicas)
    seen = _look(policy, observation, history.memory, now)
    history = replace(history, memory=seen.memory)
    said = Decision(
        replicas=observation.replicas,
        reason=Reason.STEADY,
        message="",
        history=history,
        proposals=tuple(wish.proposal for wish in seen.wishes),
        binding=seen.binding.proposal.goal if seen.binding else "",
        raw=seen.binding.proposal.replicas if seen.binding else None,
        hpa=seen.memory.shadow.replicas,
        contradiction=seen.contradiction,
    )
    if off is not None:
        return replace(said, reason=off.reason, message=off.message)
    situation = limits.Situation(
        policy=policy,
        wishes=seen.wishes,
        memory=seen.memory,
        turns=history.turns or (),
        current=seen.current,
        ready=observation.ready,
        awaiting=_awaiting(policy, observation, seen.memory, now),
        rollout=observation.rollout,
        doubt=seen.doubt,
        now=now,
    )
    answer = limits.answer(situation)
    auto = policy.mode is Mode.AUTO
    if answer.replicas != seen.current:
        history = _done(situation, observation, history, answer.replicas)
    memory, advised = history.memory, None if auto else answer.replicas
    if memory.advised != advised:
        memory = replace(memory, advised=advised)
    return replace(
        said,
        replicas=answer.replicas,
        reason=answer.reason,
        message=message.tell(situation, answer, seen.binding, seen.contradiction),
        history=replace(history, applied=answer.replicas if auto else None, memory=memory),
        clamps=answer.clamps,
        write=auto and answer.replicas != observation.replicas,
    )


def unwritten(decision: Decision, before: History) -> History:
    """What to remember where the target could not be given its number: what was seen, and not what
    was done.
    """
    after = decision.history
    memory = replace(after.memory, deeds=before.memory.deeds)
    return replace(after, applied=before.applied, turns=before.turns, memory=memory)


def impossible(
    reason: Reason, sentence: str, history: History, replicas: int | None = None
) -> Decision:
    """The decision where there is nothing to decide: no target, no valid spec, or hands are off and
    nothing is asked. What was seen before no longer counts as seen without a gap.
    """
    memory = replace(history.memory, window=Window(), tracks={}, advised=None)
    return Decision(replicas or 0, reason, sentence, replace(history, memory=memory))


def _resumed(policy: Policy, memory: Memory, now: float) -> Memory:
    """The memory, without what a gap, or other goals, have made worthless."""
    memory = memory.of(frozenset(goal.identity for goal in policy.goals), policy.source)
    if memory.decided is not None and now - memory.decided > _PAUSE * policy.behavior.interval:
        memory = replace(memory, window=Window(), tracks={})
    return replace(memory, decided=now, began=now if memory.began is None else memory.began)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the target came to."""

    wishes: Sequence[Wish]
    binding: Wish | None
    """That with the largest need."""
    current: int
    """The target's number, or in Advise mode what it would be by now."""
    doubt: Reason | None
    contradiction: str
    memory: Memory


def _look(policy: Policy, observation: Observation, memory: Memory, now: float) -> _Seen:
    memory = _arrived(observation, memory, now)
    lead = LONGEST_LEAD if memory.lead is None else min(memory.lead, LONGEST_LEAD)
    behavior = policy.behavior
    times = goals.Times(now, limits.lookback(behavior), behavior.interval + lead)
    counted = goals.counted(policy, observation)
    wishes: list[Wish] = []
    for goal in policy.goals:
        wish, memory = goals.wish(goal, observation, memory, times, counted=counted)
        wishes.append(wish)
    memory = _expired(memory, now)
    known = [wish for wish in wishes if wish.need is not None]
    contradiction = goals.contradiction(policy, observation)
    doubt = Reason.METRICS_ERROR if contradiction else _doubt(wishes)
    window = Window()
    if doubt is None:
        keep = max(wish.keep for wish in wishes)
        window = memory.window.seen(now, keep, behavior.down_window)
    if policy.mode is not Mode.ADVISE and memory.advised is not None:
        memory = replace(memory, advised=None)
    current = observation.replicas if memory.advised is None else memory.advised
    proposals = [wish.proposal for wish in wishes]
    beside = _beside(policy, proposals, observation.replicas, memory.shadow, now)
    return _Seen(
        wishes,
        max(known, key=lambda wish: wish.need or 0.0, default=None),
        current,
        doubt,
        contradiction,
        replace(memory, window=window, shadow=beside),
    )


def _expired(memory: Memory, now: float) -> Memory:
    """Without trials that nothing is learned from any more."""
    trials = memory.deeds.trials
    kept = {goal: trial for goal, trial in trials.items() if now - trial.at <= latency.LATEST}
    return memory if len(kept) == len(trials) else memory.trying(kept)


def _arrived(observation: Observation, memory: Memory, now: float) -> Memory:
    """With the lead time measured, once all that was asked for is ready."""
    asked = memory.deeds.asked
    if asked is None:
        return memory
    disturbed = observation.replicas < asked.replicas or observation.rollout is not Rollout.STABLE
    if observation.ready < asked.replicas and not disturbed:
        return memory
    if not disturbed:
        took = min(now - asked.at, _LONGEST_START)
        lead = took if memory.lead is None else (memory.lead + took) / 2.0
        memory = replace(memory, lead=lead)
    return replace(memory, deeds=replace(memory.deeds, asked=None))


def _awaiting(policy: Policy, observation: Observation, memory: Memory, now: float) -> bool:
    """Whether replicas are on their way that may still be expected."""
    asked = memory.deeds.asked
    if asked is None or observation.ready >= asked.replicas:
        return False
    lead = memory.lead or LONGEST_LEAD
    return now - asked.at < _PATIENCE * max(lead, policy.behavior.interval)


def _doubt(wishes: Sequence[Wish]) -> Reason | None:
    truths = {wish.proposal.truth for wish in wishes}
    return next((reason for truth, reason in DOUBTS.items() if truth in truths), None)


def _done(
    situation: limits.Situation, observation: Observation, history: History, replicas: int
) -> History:
    """What giving the target this number makes worth remembering."""
    deeds, now, up = situation.memory.deeds, situation.now, replicas > situation.current
    passed = situation.turns if deeds.rising is up else limits.turned(situation.turns, now)
    auto = situation.policy.mode is Mode.AUTO
    done = Deeds(now, now if auto else deeds.given, step=deeds.step if up else now, rising=up)
    if up and auto:
        trials = {**dict(_trials(situation, observation)), **deeds.trials}  # who tries, tries on
        done = replace(done, asked=Asked(now, replicas), trials=trials)
    return replace(history, turns=passed, memory=replace(history.memory, deeds=done))


def _trials(situation: limits.Situation, observation: Observation) -> Iterator[tuple[str, Trial]]:
    """What this raise has to show, by goal, for each latency that is measured to be too long."""
    for goal, wish in zip(situation.policy.goals, situation.wishes, strict=True):
        if wish.missed and wish.proposal.value is not None:
            rate = observation.readings[Need(Measure.RATE)].value / max(1, observation.ready)
            now, current = situation.now, situation.current
            yield goal.identity, Trial(now, current, wish.proposal.value, rate)


def _beside(
    policy: Policy, proposals: Sequence[Proposal], replicas: int, shadow: Shadow, now: float
) -> Shadow:
    """The HorizontalPodAutoscaler beside us: its formula with its defaults, fed the same readings.

    It scales a target of its own that is always as large as it last said and that begins with the
    target's own number, and has nothing like a latency goal.
    """
    goals = {goal.name: goal for goal in policy.goals if goal.type is not GoalType.LATENCY}
    if not goals or now - shadow.looked < hpa.PERIOD:
        return shadow
    size = shadow.replicas or replicas
    asked = [_proposed(goals[p.goal], p, size) for p in proposals if p.goal in goals]
    desired = hpa.largest(asked, size)
    bounds = hpa.Bounds(policy.min_replicas, policy.max_replicas)
    size, memory = hpa.normalize(
        size, size if desired is None else desired, shadow.memory, bounds, now
    )
    return Shadow(size, now, memory)


def _proposed(goal: Goal, proposal: Proposal, replicas: int) -> int | None:
    if proposal.replicas is None or proposal.value is None:
        return None
    return hpa.for_average_value(proposal.value, goal.per_replica, replicas)
