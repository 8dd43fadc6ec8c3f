"""What each goal asks for, from what was read: a real number of replicas, and the sum behind it.

A goal that is not sure of its reading asks for nothing. `per_replica` is the most that one replica
carries; the headroom beyond is added here and not by whoever writes the goal: for chance
(`queueing.staffed`), for trend and noise (`forecast`), and for requests that already wait. Load is
what arrives, not what is answered: an overloaded target answers what it can, and the requests in
flight grow by the rest.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision import latency, queueing
from borough_operator.decision.forecast import Forecast, forecast
from borough_operator.decision.memory import Memory, Sample, Track
from borough_operator.decision.model import (
    Freshness,
    Goal,
    GoalType,
    Measure,
    Need,
    Observation,
    Policy,
    Proposal,
    Reading,
)

SPARE = 0.4
"""The factor of the square root (beta)."""
_DRAIN = 10.0
"""Seconds in which requests that wait are to be worked off, once there are replicas for it."""

_RATE, _IN_FLIGHT = Need(Measure.RATE), Need(Measure.IN_FLIGHT)
_UNKNOWN = Reading(Freshness.ERROR, detail="the source gave no answer")
_WORK = frozenset({GoalType.RATE, GoalType.IN_FLIGHT})


def needs(policy: Policy) -> frozenset[Need]:
    """All that is read for this policy.

    A rate is read with the requests in flight, which tell arrivals from answers; where both are
    goals, the duration is read too, for Little's law to check them. What is read besides the goals'
    own needs may be missing.
    """
    wanted = {need for goal in policy.goals for need in _needs(goal)}
    if _balanced(policy):
        wanted.add(Need(Measure.DURATION))
    if _RATE in wanted:
        wanted.add(_IN_FLIGHT)
    return frozenset(wanted)


def _balanced(policy: Policy) -> bool:
    """Whether Little's law ties two of its goals to each other."""
    return {goal.type for goal in policy.goals} >= _WORK


def _needs(goal: Goal) -> tuple[Need, ...]:
    match goal.type:
        case GoalType.RATE:
            return (_RATE,)
        case GoalType.IN_FLIGHT:
            return (_IN_FLIGHT,)
        case GoalType.QUERY:
            return (Need(Measure.QUERY, goal.promql),)
        case GoalType.LATENCY:
            return latency.needs(goal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A goal's proposal, and the real number behind it."""

    proposal: Proposal
    need: float | None
    """Replicas before rounding up, for what must be carried; None where the goal knows nothing."""
    keep: float = 0.0
    """Replicas before rounding up, for what there is at this moment: what the down window keeps.
    Without trend and noise, which a new process would not know."""
    queued: bool = False
    """Whether work that merely waits counts in it, which replicas on their way will take."""
    missed: bool = False
    """Whether it is for a latency that is measured to be too long."""
    saturated: bool = False
    """Whether more replicas were shown not to help."""


@dataclass(frozen=True, slots=True)
class Times:
    """The moments a goal looks at."""

    now: float
    lookback: float
    """Seconds of load that are remembered."""
    horizon: float
    """Seconds from now until an answer can have an effect."""


def counted(policy: Policy, observation: Observation) -> bool:
    """Whether a goal counts the work, and with it what waits."""
    in_flight = observation.readings.get(_IN_FLIGHT, _UNKNOWN)
    types = {goal.type for goal in policy.goals}
    return in_flight.freshness is Freshness.FRESH and not types.isdisjoint(_WORK)


def wish(
    goal: Goal, observation: Observation, memory: Memory, times: Times, *, counted: bool
) -> tuple[Wish, Memory]:
    """What one goal asks for; and what was learned."""
    if goal.type is GoalType.LATENCY:
        return _latency_wish(goal, observation, memory, times.now, counted=counted)
    reading = observation.readings.get(_needs(goal)[0], _UNKNOWN)
    if reading.freshness is Freshness.EMPTY and goal.type is GoalType.QUERY and goal.empty_is_zero:
        reading = Reading(Freshness.FRESH)
    if reading.freshness is not Freshness.FRESH:
        return _nothing(goal, reading), memory
    return _work_wish(goal, reading, observation, memory, times)


def _work_wish(
    goal: Goal, reading: Reading, observation: Observation, memory: Memory, times: Times
) -> tuple[Wish, Memory]:
    track, arriving, waiting = memory.track(goal.identity), reading.value, 0.0
    if goal.type is GoalType.RATE:
        track, arriving, waiting = _flow(reading, observation, track, times)
    else:
        track = track.seen(Sample(times.now - reading.age, reading.value, 0.0), times.lookback)
    expected = forecast(track.samples, reading.age + times.horizon)
    queue = waiting / _DRAIN
    load = (expected.load + queue) / goal.per_replica
    need = queueing.staffed(load, SPARE)
    proposal = Proposal(
        goal.name,
        Freshness.FRESH,
        math.ceil(need),
        reading.value,
        reading.age,
        f"ceil({load:.2f} + {SPARE}*sqrt({load:.2f})) = {math.ceil(need)}, "
        f"{load:.2f} = {_sum(expected, queue)}/{goal.per_replica:.6g}",
    )
    queued = goal.type is GoalType.IN_FLIGHT
    keep = queueing.staffed(arriving / goal.per_replica, SPARE)
    answer = Wish(proposal=proposal, need=need, keep=keep, queued=queued)
    return answer, memory.tracked(goal.identity, track)


def _flow(
    reading: Reading, observation: Observation, track: Track, times: Times
) -> tuple[Track, float, float]:
    """The requests that arrive a second, and those that wait: by balance of flow and Little.

    What is not answered stays in flight; of what is in flight, as much works as a request stays in
    calm times, and the rest waits. Arrivals take two looks: after one, any number may be.
    """
    at, counted = times.now - reading.age, observation.readings.get(_IN_FLIGHT)
    if counted is None or counted.freshness is not Freshness.FRESH:
        return track.seen(Sample(at, reading.value, 0.0), times.lookback), reading.value, 0.0
    arriving, seen = reading.value, track.in_flight
    if seen is not None and at > seen[0]:
        arriving = max(0.0, arriving + (counted.value - seen[1]) / (at - seen[0]))
    stay = counted.value / reading.value if reading.value else 0.0
    track = track.seen(Sample(at, arriving, stay), times.lookback)
    if seen is None or at > seen[0]:
        track = replace(track, in_flight=(at, counted.value))
    waiting = max(0.0, counted.value - track.calm * arriving)
    return track, math.inf if seen is None else arriving, waiting


def _sum(expected: Forecast, queue: float) -> str:
    """The parts of a load as a sum."""
    if expected.jump and expected.jump >= expected.load:
        parts = [f"{expected.jump:.4g}"]
    else:
        parts = [f"{expected.level:.4g}"]
        parts += [f"{expected.rise:.3g} rising"] if expected.rise else []
        parts += [f"{expected.noise:.3g} noise"] if expected.noise else []
    parts += [f"{queue:.3g} waiting"] if queue else []
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def _latency_wish(
    goal: Goal, observation: Observation, memory: Memory, now: float, *, counted: bool
) -> tuple[Wish, Memory]:
    readings = tuple(observation.readings.get(need, _UNKNOWN) for need in latency.needs(goal))
    quantile, _, rate = readings
    if rate.freshness is Freshness.FRESH and rate.value == 0.0 and not _hangs(observation):
        idle = Proposal(goal.name, Freshness.FRESH, 0, 0.0, rate.age, "0 requests need 0 replicas")
        return Wish(proposal=idle, need=0.0), memory
    weakest = latency.worst(readings)
    if weakest.freshness is not Freshness.FRESH:
        return _nothing(goal, weakest), memory
    memory = latency.judged(goal, memory, observation, readings, now)
    learned = memory.latency(goal.identity)
    estimate, learned = latency.estimate(goal, observation, readings, learned, counted=counted)
    proposal = Proposal(
        goal.name,
        Freshness.FRESH,
        math.ceil(estimate.replicas),
        quantile.value,
        weakest.age,
        estimate.formula,
    )
    answer = Wish(
        proposal=proposal,
        need=estimate.replicas,
        keep=estimate.replicas,
        queued=estimate.missed,
        missed=estimate.missed,
        saturated=estimate.saturated,
    )
    return answer, memory.learned(goal.identity, learned)


def _nothing(goal: Goal, reading: Reading) -> Wish:
    """A goal whose reading says too little."""
    proposal = Proposal(goal.name, reading.freshness, None, detail=reading.detail)
    if reading.freshness is Freshness.STALE:
        proposal = replace(proposal, value=reading.value, age=reading.age)
    return Wish(proposal=proposal, need=None)


def contradiction(policy: Policy, observation: Observation) -> str:
    """A sentence if rate, duration and requests in flight cannot all be those of a target that is
    well, else nothing.

    Little's law, L = lambda * W, holds for any queue, but only on average: a factor of three is
    left for windows that differ and for loads that change.
    """
    if _RATE not in observation.readings:
        return ""
    if _hangs(observation):
        return "requests are in flight and none is answered, so nothing is removed"
    law = (_RATE, _IN_FLIGHT, Need(Measure.DURATION))
    readings = [observation.readings.get(need, _UNKNOWN) for need in law]
    if not _balanced(policy) or any(
        reading.freshness is not Freshness.FRESH for reading in readings
    ):
        return ""
    rate, in_flight, duration = (reading.value for reading in readings)
    expected = rate * duration
    if max(expected, in_flight) <= _FEW or in_flight / _LAX <= expected <= in_flight * _LAX:
        return ""
    return (
        f"{rate:.6g} requests a second of {duration:.3g} s each make {expected:.3g} in flight, "
        f"and {in_flight:.6g} are counted: one of them is wrong, so nothing is removed"
    )


_FEW = 3.0
"""Requests in flight up to which chance alone explains a difference."""
_LAX = 3.0


def _hangs(observation: Observation) -> bool:
    """Whether requests are in flight and none is answered: no rate is no lack of work then."""
    rate, in_flight = (observation.readings.get(need, _UNKNOWN) for need in (_RATE, _IN_FLIGHT))
    fresh = rate.freshness is in_flight.freshness is Freshness.FRESH
    return fresh and rate.value == 0.0 and in_flight.value > _FEW
