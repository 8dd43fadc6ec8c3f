"""The scaling decision, read from top to bottom. Pure: the time and the observation are arguments.

The steps: who owns the number of replicas (`ownership`), how many replicas each goal demands
(`goals`), which rules change the largest demand (`limits`), then the message and what is
remembered. A process removes a replica only after a whole window of its own readings showed that
fewer are enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from borough_operator.decision import goals, hpa, latency, limits, message, ownership
from borough_operator.decision.goals import Demand
from borough_operator.decision.memory import (
    MAX_LEAD,
    LastActions,
    Memory,
    PendingReplicas,
    Shadow,
    Trial,
    Window,
)
from borough_operator.decision.model import (
    DOUBTS,
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

_MAX_GAP = 3.0
"""Intervals without a decision after which the readings no longer count as consecutive."""
_MAX_LEADS = 2.0
"""Lead times after which replicas that are still not ready are no longer waited for."""
_MAX_START = 2.0 * MAX_LEAD
"""Longest start-up that is learned, in seconds: a longer one waited for a node."""


def decide(policy: Policy, observation: Observation, history: History, now: float) -> Decision:
    """Decide how many replicas the target should have.

    Args: `now` is Unix time in seconds and never decreases between two decisions of one history.
    """
    history = replace(
        history,
        reversals=limits.known_reversals(policy, history, now),
        memory=_resume(policy, history.memory, now),
    )
    not_ours, history = ownership.check(policy, observation, history, now)
    if not_ours is not None and not_ours.reason in {Reason.PAUSED, Reason.SCALED_TO_ZERO}:
        return no_decision(not_ours.reason, not_ours.message, history, observation.replicas)
    assessment = _assess(policy, observation, history.memory, now)
    history = replace(history, memory=assessment.memory)
    unchanged = Decision(
        replicas=observation.replicas,
        reason=Reason.STEADY,
        message="",
        history=history,
        proposals=tuple(demand.proposal for demand in assessment.demands),
        binding=assessment.binding.proposal.goal if assessment.binding else "",
        raw=assessment.binding.proposal.replicas if assessment.binding else None,
        hpa=assessment.memory.shadow.replicas,
        contradiction=assessment.contradiction,
    )
    if not_ours is not None:
        return replace(unchanged, reason=not_ours.reason, message=not_ours.message)
    situation = limits.Situation(
        policy=policy,
        demands=assessment.demands,
        memory=assessment.memory,
        reversals=history.reversals or (),
        current=assessment.current,
        ready=observation.ready,
        awaiting=_awaiting(policy, observation, assessment.memory, now),
        rollout=observation.rollout,
        doubt=assessment.doubt,
        now=now,
    )
    result = limits.apply(situation)
    auto = policy.mode is Mode.AUTO
    if result.replicas != assessment.current:
        history = _record_change(situation, observation, history, result.replicas)
    memory, advised = history.memory, None if auto else result.replicas
    if memory.advised != advised:
        memory = replace(memory, advised=advised)
    return replace(
        unchanged,
        replicas=result.replicas,
        reason=result.reason,
        message=message.explain(situation, result, assessment.binding, assessment.contradiction),
        history=replace(history, applied=result.replicas if auto else None, memory=memory),
        clamps=result.clamps,
        write=auto and result.replicas != observation.replicas,
    )


def unwritten(decision: Decision, before: History) -> History:
    """The history where the write failed: what was read is kept, what was done is not."""
    after = decision.history
    memory = replace(after.memory, last_actions=before.memory.last_actions)
    return replace(after, applied=before.applied, reversals=before.reversals, memory=memory)


def no_decision(
    reason: Reason, message: str, history: History, replicas: int | None = None
) -> Decision:
    """The decision where no number is computed: the target is missing, the spec is invalid, or
    another owner has the number and no goal is read. The window begins anew.
    """
    memory = replace(history.memory, window=Window(), loads={}, advised=None)
    return Decision(replicas or 0, reason, message, replace(history, memory=memory))


def _resume(policy: Policy, memory: Memory, now: float) -> Memory:
    """The memory without what a gap or changed goals made invalid."""
    memory = memory.restricted_to(frozenset(goal.identity for goal in policy.goals), policy.source)
    if memory.decided is not None and now - memory.decided > _MAX_GAP * policy.behavior.interval:
        memory = replace(memory, window=Window(), loads={})
    return replace(memory, decided=now, began=now if memory.began is None else memory.began)


@dataclass(frozen=True, slots=True)
class _Assessment:
    """The demands of all goals at one evaluation, and what was learned."""

    demands: Sequence[Demand]
    binding: Demand | None
    """The demand for the most replicas."""
    current: int
    """The target's number of replicas; in Advise mode the number it would have by now."""
    doubt: Reason | None
    contradiction: str
    memory: Memory


def _assess(policy: Policy, observation: Observation, memory: Memory, now: float) -> _Assessment:
    memory = _measure_lead(observation, memory, now)
    lead = MAX_LEAD if memory.lead is None else min(memory.lead, MAX_LEAD)
    behavior = policy.behavior
    times = goals.Times(now, limits.lookback(behavior), behavior.interval + lead)
    queue_counted = goals.queue_is_counted(policy, observation)
    demands: list[Demand] = []
    for goal in policy.goals:
        found, memory = goals.demand(goal, observation, memory, times, queue_counted=queue_counted)
        demands.append(found)
    memory = _drop_expired_trials(memory, now)
    known = [demand for demand in demands if demand.replicas is not None]
    contradiction = goals.contradiction(policy, observation)
    doubt = Reason.METRICS_ERROR if contradiction else _doubt(demands)
    window = Window()
    if doubt is None:
        highest = max(demand.window_replicas for demand in demands)
        window = memory.window.with_demand(now, highest, behavior.down_window)
    if policy.mode is not Mode.ADVISE and memory.advised is not None:
        memory = replace(memory, advised=None)
    current = observation.replicas if memory.advised is None else memory.advised
    proposals = [demand.proposal for demand in demands]
    shadow = _simulate_hpa(policy, proposals, observation.replicas, memory.shadow, now)
    return _Assessment(
        demands,
        max(known, key=lambda demand: demand.replicas or 0.0, default=None),
        current,
        doubt,
        contradiction,
        replace(memory, window=window, shadow=shadow),
    )


def _drop_expired_trials(memory: Memory, now: float) -> Memory:
    trials = memory.last_actions.trials
    kept = {goal: trial for goal, trial in trials.items() if now - trial.at <= latency.TRIAL_EXPIRY}
    return memory if len(kept) == len(trials) else memory.with_trials(kept)


def _measure_lead(observation: Observation, memory: Memory, now: float) -> Memory:
    """With the lead time updated, once all pending replicas are ready."""
    pending = memory.last_actions.pending
    if pending is None:
        return memory
    disturbed = observation.replicas < pending.replicas or observation.rollout is not Rollout.STABLE
    if observation.ready < pending.replicas and not disturbed:
        return memory
    if not disturbed:
        took = min(now - pending.at, _MAX_START)
        lead = took if memory.lead is None else (memory.lead + took) / 2.0
        memory = replace(memory, lead=lead)
    return replace(memory, last_actions=replace(memory.last_actions, pending=None))


def _awaiting(policy: Policy, observation: Observation, memory: Memory, now: float) -> bool:
    """Whether pending replicas may still be expected to become ready."""
    pending = memory.last_actions.pending
    if pending is None or observation.ready >= pending.replicas:
        return False
    lead = memory.lead or MAX_LEAD
    return now - pending.at < _MAX_LEADS * max(lead, policy.behavior.interval)


def _doubt(demands: Sequence[Demand]) -> Reason | None:
    found = {demand.proposal.freshness for demand in demands}
    return next((reason for freshness, reason in DOUBTS.items() if freshness in found), None)


def _record_change(
    situation: limits.Situation, observation: Observation, history: History, replicas: int
) -> History:
    """The history after the target was given this number of replicas."""
    last, now, changes = situation.memory.last_actions, situation.now, situation.reversals
    up, auto = replicas > situation.current, situation.policy.mode is Mode.AUTO
    if last.rising is not up:
        changes = limits.add_reversal(changes, now)
    written = now if auto else last.written
    actions = LastActions(now, written, removed=last.removed if up else now, rising=up)
    if up and auto:  # a trial under way goes on
        trials = dict(_new_trials(situation, observation)) | dict(last.trials)
        actions = replace(actions, pending=PendingReplicas(now, replicas), trials=trials)
    return replace(history, reversals=changes, memory=replace(history.memory, last_actions=actions))


def _new_trials(
    situation: limits.Situation, observation: Observation
) -> Iterator[tuple[str, Trial]]:
    """A trial of this raise for each goal whose measured latency is above its objective."""
    for goal, demand in zip(situation.policy.goals, situation.demands, strict=True):
        if demand.missed and demand.proposal.value is not None:
            rate = observation.readings[Need(Measure.RATE)].value / max(1, observation.ready)
            now, current = situation.now, situation.current
            yield goal.identity, Trial(now, current, demand.proposal.value, rate)


def _simulate_hpa(
    policy: Policy, proposals: Sequence[Proposal], replicas: int, shadow: Shadow, now: float
) -> Shadow:
    """The state of a simulated HorizontalPodAutoscaler after these proposals: its formula with its
    defaults, fed the same readings.

    It scales a simulated target of its own, whose size starts with the target's number, is
    evaluated every 15 seconds, and ignores latency goals, for which the HPA has no equivalent.
    """
    goals = {goal.name: goal for goal in policy.goals if goal.type is not GoalType.LATENCY}
    if not goals or now - shadow.evaluated < hpa.PERIOD:
        return shadow
    size = shadow.replicas or replicas
    proposed = [_proposal(goals[p.goal], p, size) for p in proposals if p.goal in goals]
    desired = hpa.largest(proposed, size)
    bounds = hpa.Bounds(policy.min_replicas, policy.max_replicas)
    size, memory = hpa.normalize(
        size, size if desired is None else desired, shadow.memory, bounds, now
    )
    return Shadow(size, now, memory)


def _proposal(goal: Goal, proposal: Proposal, replicas: int) -> int | None:
    if proposal.replicas is None or proposal.value is None:
        return None
    return hpa.for_average_value(proposal.value, goal.per_replica, replicas)
