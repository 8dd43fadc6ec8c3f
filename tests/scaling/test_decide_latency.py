"""Does a latency goal find the size that meets its objective, and stop where more replicas do not
help?
"""

import math
from itertools import pairwise

import pytest

from borough_operator.decision.decide import decide
from borough_operator.decision.model import (
    Freshness,
    Goal,
    GoalType,
    History,
    Measure,
    Need,
    Observation,
    Reading,
    Reason,
)
from borough_operator.simulator.station import erlang_c
from scaling.worlds import (
    BY_LATENCY,
    BY_RATE,
    DURATION,
    IN_FLIGHT,
    P95,
    RATE,
    START,
    World,
    fresh,
    policy,
)


def queue(world: World, rate: float, servers: int = 1, service: float = 0.05) -> None:
    """Set the readings of M/M/c with so many servers for each replica."""
    count = world.observation().ready * servers
    load = rate * service
    if load >= count:
        rate = count / service  # the capacity
        mean, p95 = 2.0, 5.0
    else:
        waits = erlang_c(count, load)
        mean = service + waits * service / (count - load)
        tail = service * math.log(max(1.0, waits / 0.05)) / (count - load)
        p95 = 3.0 * service + tail
    world.broken = {RATE: fresh(rate), DURATION: fresh(mean), P95: fresh(p95)}


def live(world: World, seconds: float, rate: float, servers: int = 1) -> None:
    end = world.time + seconds
    while world.time < end:
        queue(world, rate, servers)
        world.run(5.0)


def quantile(world: World) -> float:
    return world.broken[P95].value


def test_objective_is_reached_and_kept() -> None:
    """From far too few replicas the target reaches a sufficient size, and keeps it."""
    world = World(policy(BY_LATENCY), replicas=2)
    live(world, 1200.0, rate=100.0)
    assert quantile(world) <= 0.25
    found = world.replicas
    live(world, 1200.0, rate=100.0)
    assert world.replicas == found <= 12


@pytest.mark.parametrize(
    ("goals", "in_flight", "size"),
    [
        ((BY_LATENCY,), fresh(10.0), 8),
        ((BY_RATE, BY_LATENCY), Reading(Freshness.EMPTY), 8),
        ((BY_RATE, BY_LATENCY), fresh(10.0), 5),
    ],
    ids=["alone", "waiting is not counted", "counted"],
)
def test_far_missed_objective_doubles_unless_the_queue_is_counted(
    goals: tuple[Goal, ...], in_flight: Reading, size: int
) -> None:
    """Four times the objective doubles the target, unless a goal counts the waiting requests and
    demands fewer replicas than that.
    """
    world = World(policy(*goals), replicas=4)
    calm = {RATE: fresh(40.0), DURATION: fresh(0.05), IN_FLIGHT: in_flight}
    world.broken = {**calm, P95: fresh(0.2)}
    world.run(60.0)
    world.broken = {**calm, P95: fresh(1.0)}
    world.decide()
    assert (world.replicas, world.last.binding) == (size, "Latency")


def test_servers_per_replica_are_learned_from_met_objectives() -> None:
    """With eight servers each, two replicas carry five erlangs once six carried thirty."""
    world = World(policy(BY_LATENCY), replicas=6)
    live(world, 300.0, rate=100.0, servers=8)
    assert world.replicas == 6  # a sixth of this load each is all that was seen
    live(world, 300.0, rate=600.0, servers=8)
    live(world, 900.0, rate=100.0, servers=8)
    assert quantile(world) <= 0.25
    assert world.replicas <= 2


def test_idle_target_demands_nothing() -> None:
    """Without requests there is no quantile, and the goal demands nothing."""
    world = World(policy(BY_LATENCY), replicas=4)
    nothing = Reading(Freshness.EMPTY)
    world.broken = {RATE: fresh(0.0), DURATION: nothing, P95: nothing, IN_FLIGHT: fresh(0.0)}
    assert world.run(900.0).replicas == 1


def test_stalled_target_is_not_idle() -> None:
    """No request completes while some are in flight: nothing is removed, for that reason."""
    world = World(policy(BY_LATENCY), replicas=4)
    nothing = Reading(Freshness.EMPTY)
    world.broken = {RATE: fresh(0.0), DURATION: nothing, P95: nothing, IN_FLIGHT: fresh(60.0)}
    world.run(900.0)
    assert (world.replicas, world.last.reason) == (4, Reason.METRICS_ERROR)
    assert "none is completed" in world.last.message


def test_goal_has_the_freshness_of_its_least_fresh_reading() -> None:
    """A fresh quantile with a stale rate is not enough."""
    readings = {P95: fresh(0.1), DURATION: fresh(0.05), RATE: Reading(Freshness.STALE, 9.0, 80.0)}
    decision = decide(policy(BY_LATENCY), Observation(4, 4, readings), History(), START)
    assert (decision.replicas, decision.reason) == (4, Reason.METRICS_STALE)


def test_two_unhelpful_raises_saturate_the_goal() -> None:
    """The target returns to its size before them, and the message says why."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(600.0)
    world.run(1800.0)
    assert world.last.reason is Reason.SATURATED
    assert "the bottleneck is elsewhere" in world.last.message
    raises = sum(b > a for a, b in zip([3, *world.sizes()], world.sizes(), strict=False))
    assert (raises, world.replicas) == (2, 3)


def test_saturation_ends_when_the_objective_is_met() -> None:
    """Later misses raise again."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(600.0)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.05), P95: fresh(0.2)}
    world.run(10.0)
    assert world.last.reason is not Reason.SATURATED
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(10.0)
    assert world.last.reason in {Reason.SCALED_UP, Reason.AWAITING_READY}


def test_saturation_ends_when_the_rate_grows() -> None:
    """At a tenth more requests than at the last raise, raises are tried again."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(1800.0)
    world.broken = {RATE: fresh(50.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    assert world.decide().reason is Reason.SCALED_UP


@pytest.mark.parametrize("first", [True, False])
def test_met_latency_goal_does_not_hide_a_saturated_one(first: bool) -> None:  # noqa: FBT001  # the order of the goals
    """One goal for each quantile, in either order: each has its own trials."""
    p99 = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    goals = (p99, BY_LATENCY) if first else (BY_LATENCY, p99)
    world = World(policy(*goals, max_replicas=50), replicas=4)
    far = {Need(Measure.QUANTILE, "0.99"): fresh(0.9), P95: fresh(0.2)}
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.1), **far}
    world.run(2400.0)
    assert (world.replicas, world.last.reason) == (4, Reason.SATURATED)


def test_raise_is_a_trial_for_every_missed_latency_goal() -> None:
    """Two raises are enough for both goals."""
    p99 = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    world = World(policy(BY_LATENCY, p99, max_replicas=50), replicas=4)
    far = {Need(Measure.QUANTILE, "0.99"): fresh(2.0), P95: fresh(0.9)}
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), **far}
    world.run(2400.0)
    raises = sum(b > a for a, b in pairwise([4, *world.sizes()]))
    assert (raises, world.replicas, world.last.reason) == (2, 4, Reason.SATURATED)


def test_raise_waits_for_the_trial_of_the_one_before() -> None:
    """Until the new replicas are ready and the quantile was measured with them."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(5.0)
    first = world.replicas
    assert first > 3
    world.run(35.0)
    assert (world.replicas, world.last.reason) == (first, Reason.AWAITING_READY)
