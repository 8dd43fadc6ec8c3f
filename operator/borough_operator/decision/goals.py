"""How many replicas each goal demands, as a real number, and the formula behind it.

A goal without a fresh reading demands nothing. `per_replica` is the most that one replica carries;
headroom is added here: for chance (`queueing.staffed`), for trend and noise (`forecast`), and for
requests that already wait. The load is the rate of arrivals, not of responses: an overloaded target
responds at its capacity while its requests in flight grow by the difference.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision import latency, queueing
from borough_operator.decision.forecast import Forecast, forecast
from borough_operator.decision.memory import Latency, LoadHistory, Memory, Sample
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

BETA = 0.4
"""The factor of the square root in square-root staffing (beta)."""
_DRAIN = 10.0
"""Seconds within which waiting requests are to be worked off once the replicas are ready."""

_RATE, _IN_FLIGHT = Need(Measure.RATE), Need(Measure.IN_FLIGHT)
_UNKNOWN = Reading(Freshness.ERROR, detail="the source returned no reading")
_WORK = frozenset({GoalType.RATE, GoalType.IN_FLIGHT})


def needs(policy: Policy) -> frozenset[Need]:
    """Every quantity that is read for this policy.

    A rate is read with the requests in flight, which show how far arrivals exceed responses. Where
    both are goals the duration is read too, so that Little's law can check them. A reading that no
    goal needs itself may be missing.
    """
    wanted = {need for goal in policy.goals for need in _needs(goal)}
    if _little_applies(policy):
        wanted.add(Need(Measure.DURATION))
    if _RATE in wanted:
        wanted.add(_IN_FLIGHT)
    return frozenset(wanted)


def _little_applies(policy: Policy) -> bool:
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
class Demand:
    """A goal's proposal and the real numbers behind it."""

    proposal: Proposal
    replicas: float | None
    """Replicas for the expected load, not rounded; None where the goal has no fresh reading."""
    window_replicas: float = 0.0
    """Replicas for the present load, not rounded, which the down window remembers. Without trend
    and noise, which a new process would not know."""
    queued: bool = False
    """Whether waiting work is part of it, which pending replicas will take."""
    missed: bool = False
    """Whether it comes from a measured latency above its objective."""
    saturated: bool = False
    """Whether earlier raises did not improve the latency."""


@dataclass(frozen=True, slots=True)
class Times:
    now: float
    lookback: float
    """Seconds of load history that are kept."""
    horizon: float
    """Seconds until a decision of now takes effect."""


def queue_is_counted(policy: Policy, observation: Observation) -> bool:
    """Whether a rate or in-flight goal with a fresh reading accounts for waiting requests."""
    in_flight = observation.readings.get(_IN_FLIGHT, _UNKNOWN)
    types = {goal.type for goal in policy.goals}
    return in_flight.freshness is Freshness.FRESH and not types.isdisjoint(_WORK)


def demand(
    goal: Goal, observation: Observation, memory: Memory, times: Times, *, queue_counted: bool
) -> tuple[Demand, Memory]:
    """The demand of one goal, and the memory with what was learned from it."""
    if goal.type is GoalType.LATENCY:
        return _latency_demand(goal, observation, memory, times.now, queue_counted=queue_counted)
    reading = observation.readings.get(_needs(goal)[0], _UNKNOWN)
    if reading.freshness is Freshness.EMPTY and goal.type is GoalType.QUERY and goal.empty_is_zero:
        reading = Reading(Freshness.FRESH)
    if reading.freshness is not Freshness.FRESH:
        return _no_demand(goal, reading), memory
    return _load_demand(goal, reading, observation, memory, times)


def _load_demand(
    goal: Goal, reading: Reading, observation: Observation, memory: Memory, times: Times
) -> tuple[Demand, Memory]:
    past, arriving, waiting = memory.loads.get(goal.identity, LoadHistory()), reading.value, 0.0
    if goal.type is GoalType.RATE:
        past, arriving, waiting = _arrivals(reading, observation, past, times)
    else:
        past = past.with_sample(Sample(times.now - reading.age, reading.value, 0.0), times.lookback)
    expected = forecast(past.samples, reading.age + times.horizon)
    queue = waiting / _DRAIN
    load = (expected.load + queue) / goal.per_replica
    replicas = queueing.staffed(load, BETA)
    proposal = Proposal(
        goal.name,
        Freshness.FRESH,
        math.ceil(replicas),
        reading.value,
        reading.age,
        f"ceil({load:.2f} + {BETA}*sqrt({load:.2f})) = {math.ceil(replicas)}, "
        f"{load:.2f} = {_load_formula(expected, queue)}/{goal.per_replica:.6g}",
    )
    queued = goal.type is GoalType.IN_FLIGHT
    present = queueing.staffed(arriving / goal.per_replica, BETA)
    found = Demand(proposal=proposal, replicas=replicas, window_replicas=present, queued=queued)
    return found, replace(memory, loads={**memory.loads, goal.identity: past})


def _arrivals(
    reading: Reading, observation: Observation, past: LoadHistory, times: Times
) -> tuple[LoadHistory, float, float]:
    """The load history with this reading, the arrivals per second, and the waiting requests.

    Arrivals are the responses plus the growth of requests in flight (conservation of flow). Of the
    requests in flight, those in service are the arrivals times the service time (Little's law), and
    the rest waits. Two readings are needed: after the first the arrivals are unknown (infinite).
    """
    at, in_flight = times.now - reading.age, observation.readings.get(_IN_FLIGHT)
    if in_flight is None or in_flight.freshness is not Freshness.FRESH:
        return past.with_sample(Sample(at, reading.value, 0.0), times.lookback), reading.value, 0.0
    arriving, last = reading.value, past.in_flight
    if last is not None and at > last[0]:
        arriving = max(0.0, arriving + (in_flight.value - last[1]) / (at - last[0]))
    residence = in_flight.value / reading.value if reading.value else 0.0
    past = past.with_sample(Sample(at, arriving, residence), times.lookback)
    if last is None or at > last[0]:
        past = replace(past, in_flight=(at, in_flight.value))
    waiting = max(0.0, in_flight.value - past.service_time * arriving)
    return past, math.inf if last is None else arriving, waiting


def _load_formula(expected: Forecast, queue: float) -> str:
    """The parts of a load as text, such as "(120 + 8 rising)"."""
    if expected.jump and expected.jump >= expected.load:
        parts = [f"{expected.jump:.4g}"]
    else:
        parts = [f"{expected.level:.4g}"]
        parts += [f"{expected.rise:.3g} rising"] if expected.rise else []
        parts += [f"{expected.noise:.3g} noise"] if expected.noise else []
    parts += [f"{queue:.3g} waiting"] if queue else []
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def _latency_demand(
    goal: Goal, observation: Observation, memory: Memory, now: float, *, queue_counted: bool
) -> tuple[Demand, Memory]:
    readings = tuple(observation.readings.get(need, _UNKNOWN) for need in latency.needs(goal))
    quantile, _, rate = readings
    if rate.freshness is Freshness.FRESH and rate.value == 0.0 and not _stalled(observation):
        idle = Proposal(goal.name, Freshness.FRESH, 0, 0.0, rate.age, "0 requests need 0 replicas")
        return Demand(proposal=idle, replicas=0.0), memory
    least_sure = latency.worst(readings)
    if least_sure.freshness is not Freshness.FRESH:
        return _no_demand(goal, least_sure), memory
    memory = latency.evaluate_trial(goal, memory, observation, readings, now)
    learned = memory.latencies.get(goal.identity, Latency())
    estimate, learned = latency.estimate(
        goal, observation, readings, learned, queue_counted=queue_counted
    )
    proposal = Proposal(
        goal.name,
        Freshness.FRESH,
        math.ceil(estimate.replicas),
        quantile.value,
        least_sure.age,
        estimate.formula,
    )
    found = Demand(
        proposal=proposal,
        replicas=estimate.replicas,
        window_replicas=estimate.replicas,
        queued=estimate.missed,
        missed=estimate.missed,
        saturated=estimate.saturated,
    )
    return found, replace(memory, latencies={**memory.latencies, goal.identity: learned})


def _no_demand(goal: Goal, reading: Reading) -> Demand:
    proposal = Proposal(goal.name, reading.freshness, None, detail=reading.detail)
    if reading.freshness is Freshness.STALE:
        proposal = replace(proposal, value=reading.value, age=reading.age)
    return Demand(proposal=proposal, replicas=None)


def contradiction(policy: Policy, observation: Observation) -> str:
    """A sentence if rate, duration and requests in flight contradict each other or no response
    comes, else empty.

    By Little's law, L = lambda * W, which holds for any queue on average. A factor of
    `_LITTLE_TOLERANCE` is allowed, since the windows of the readings differ and loads change.
    """
    if _RATE not in observation.readings:
        return ""
    if _stalled(observation):
        return "requests are in flight and none is completed, so nothing is removed"
    law = (_RATE, _IN_FLIGHT, Need(Measure.DURATION))
    readings = [observation.readings.get(need, _UNKNOWN) for need in law]
    if not _little_applies(policy) or any(
        reading.freshness is not Freshness.FRESH for reading in readings
    ):
        return ""
    rate, in_flight, duration = (reading.value for reading in readings)
    expected = rate * duration
    if (
        max(expected, in_flight) <= _FEW
        or in_flight / _LITTLE_TOLERANCE <= expected <= in_flight * _LITTLE_TOLERANCE
    ):
        return ""
    return (
        f"{rate:.6g} requests a second of {duration:.3g} s each imply {expected:.3g} in flight, "
        f"and {in_flight:.6g} are counted: one of them is wrong, so nothing is removed"
    )


_FEW = 3.0
"""Up to so many requests in flight a difference may be chance."""
_LITTLE_TOLERANCE = 3.0


def _stalled(observation: Observation) -> bool:
    """Whether requests are in flight and none completes: then a rate of 0 is not an idle target."""
    rate, in_flight = (observation.readings.get(need, _UNKNOWN) for need in (_RATE, _IN_FLIGHT))
    fresh = rate.freshness is in_flight.freshness is Freshness.FRESH
    return fresh and rate.value == 0.0 and in_flight.value > _FEW
