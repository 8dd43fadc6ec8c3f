"""The decision: what a target should have, and why. Pure: time and the cluster are arguments.

In this order: whose number is it (`ownership`); what does each goal ask for (`goals`); which rules
change the largest of it (`limits`); what is said, and remembered, of the answer. A process removes
only what a whole window of its own has shown to be unneeded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from borough_operator.decision import goals, latency, limits, message, ownership, reversals, shadow
from borough_operator.decision.goals import Wish
from borough_operator.decision.memory import LONGEST_LEAD, Asked, LastActions, Memory, Trial, Window
from borough_operator.decision.model import (
    Decision,
    History,
    Measure,
    Mode,
    Need,
    Observation,
    Policy,
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
        reversals=reversals.known(policy, history, now),
        memory=_resumed(policy, history.memory, now),
    )
    not_ours, history = ownership.check(policy, observation, history, now)
    if not_ours is not None and not_ours.reason in {Reason.PAUSED, Reason.SCALED_TO_ZERO}:
        return impossible(not_ours.reason, not_ours.message, history, observation.replicas)
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
    if not_ours is not None:
        return replace(said, reason=not_ours.reason, message=not_ours.message)
    situation = limits.Situation(
        policy=policy,
        wishes=seen.wishes,
        memory=seen.memory,
        reversals=history.reversals or (),
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
    memory = replace(after.memory, last_actions=before.memory.last_actions)
    return replace(after, applied=before.applied, reversals=before.reversals, memory=memory)


def impossible(
    reason: Reason, sentence: str, history: History, replicas: int | None = None
) -> Decision:
    """The decision where there is nothing to decide: no target, no valid spec, or another owner
    has the number and nothing is asked. What was seen before no longer counts as seen without a
    gap.
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
    beside = shadow.look(policy, proposals, observation.replicas, memory.shadow, now)
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
    trials = memory.last_actions.trials
    kept = {goal: trial for goal, trial in trials.items() if now - trial.at <= latency.LATEST}
    return memory if len(kept) == len(trials) else memory.trying(kept)


def _arrived(observation: Observation, memory: Memory, now: float) -> Memory:
    """With the lead time measured, once all that was asked for is ready."""
    asked = memory.last_actions.asked
    if asked is None:
        return memory
    disturbed = observation.replicas < asked.replicas or observation.rollout is not Rollout.STABLE
    if observation.ready < asked.replicas and not disturbed:
        return memory
    if not disturbed:
        took = min(now - asked.at, _LONGEST_START)
        lead = took if memory.lead is None else (memory.lead + took) / 2.0
        memory = replace(memory, lead=lead)
    return replace(memory, last_actions=replace(memory.last_actions, asked=None))


def _awaiting(policy: Policy, observation: Observation, memory: Memory, now: float) -> bool:
    """Whether replicas are on their way that may still be expected."""
    asked = memory.last_actions.asked
    if asked is None or observation.ready >= asked.replicas:
        return False
    lead = memory.lead or LONGEST_LEAD
    return now - asked.at < _PATIENCE * max(lead, policy.behavior.interval)


def _doubt(wishes: Sequence[Wish]) -> Reason | None:
    found = {wish.proposal.freshness for wish in wishes}
    return next((reason for freshness, reason in DOUBTS.items() if freshness in found), None)


def _done(
    situation: limits.Situation, observation: Observation, history: History, replicas: int
) -> History:
    """What giving the target this number makes worth remembering."""
    last_actions, now, up = (
        situation.memory.last_actions,
        situation.now,
        replicas > situation.current,
    )
    passed = (
        situation.reversals
        if last_actions.rising is up
        else reversals.added(situation.reversals, now)
    )
    auto = situation.policy.mode is Mode.AUTO
    done = LastActions(
        now, now if auto else last_actions.given, step=last_actions.step if up else now, rising=up
    )
    if up and auto:
        trials = {
            **dict(_trials(situation, observation)),
            **last_actions.trials,
        }  # who tries, tries on
        done = replace(done, asked=Asked(now, replicas), trials=trials)
    return replace(history, reversals=passed, memory=replace(history.memory, last_actions=done))


def _trials(situation: limits.Situation, observation: Observation) -> Iterator[tuple[str, Trial]]:
    """What this raise has to show, by goal, for each latency that is measured to be too long."""
    for goal, wish in zip(situation.policy.goals, situation.wishes, strict=True):
        if wish.missed and wish.proposal.value is not None:
            rate = observation.readings[Need(Measure.RATE)].value / max(1, observation.ready)
            now, current = situation.now, situation.current
            yield goal.identity, Trial(now, current, wish.proposal.value, rate)
