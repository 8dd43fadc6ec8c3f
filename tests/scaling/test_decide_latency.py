"""Does a latency goal find the size that holds it, and stop where more does not help?"""

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
    """Readings of M/M/c whose replicas have so many servers each."""
    count = world.observation().ready * servers
    load = rate * service
    if load >= count:
        rate = count / service  # what is answered
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


def test_the_objective_is_reached_and_not_left_again() -> None:
    """From far too few, the target finds a size that holds, and stays with it."""
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
    ids=["alone", "nobody counts what waits", "counted"],
)
def test_far_too_long_is_left_to_whoever_counts_what_waits(
    goals: tuple[Goal, ...], in_flight: Reading, size: int
) -> None:
    """Four times the objective doubles the target; unless what waits is counted, and known to need
    fewer.
    """
    world = World(policy(*goals), replicas=4)
    calm = {RATE: fresh(40.0), DURATION: fresh(0.05), IN_FLIGHT: in_flight}
    world.broken = {**calm, P95: fresh(0.2)}
    world.run(60.0)
    world.broken = {**calm, P95: fresh(1.0)}
    world.decide()
    assert (world.replicas, world.last.binding) == (size, "Latency")


def test_a_replica_is_worth_what_it_has_shown() -> None:
    """With eight servers a replica, five erlangs take two, once forty were held by six."""
    world = World(policy(BY_LATENCY), replicas=6)
    live(world, 300.0, rate=100.0, servers=8)
    assert world.replicas == 6  # a sixth of this load each is all that was seen
    live(world, 300.0, rate=600.0, servers=8)
    live(world, 900.0, rate=100.0, servers=8)
    assert quantile(world) <= 0.25
    assert world.replicas <= 2


def test_no_request_is_no_latency() -> None:
    """Without requests there is no quantile, and the goal needs nothing."""
    world = World(policy(BY_LATENCY), replicas=4)
    nothing = Reading(Freshness.EMPTY)
    world.broken = {RATE: fresh(0.0), DURATION: nothing, P95: nothing, IN_FLIGHT: fresh(0.0)}
    assert world.run(900.0).replicas == 1


def test_a_target_that_hangs_is_not_idle() -> None:
    """Nothing is answered, and requests are in flight: nothing is removed, and it is said why."""
    world = World(policy(BY_LATENCY), replicas=4)
    nothing = Reading(Freshness.EMPTY)
    world.broken = {RATE: fresh(0.0), DURATION: nothing, P95: nothing, IN_FLIGHT: fresh(60.0)}
    world.run(900.0)
    assert (world.replicas, world.last.reason) == (4, Reason.METRICS_ERROR)
    assert "none is completed" in world.last.message


def test_a_goal_is_as_sure_as_its_least_sure_reading() -> None:
    """A fresh quantile with a rate that is not known says nothing."""
    readings = {P95: fresh(0.1), DURATION: fresh(0.05), RATE: Reading(Freshness.STALE, 9.0, 80.0)}
    decision = decide(policy(BY_LATENCY), Observation(4, 4, readings), History(), START)
    assert (decision.replicas, decision.reason) == (4, Reason.METRICS_STALE)


def test_two_raises_that_do_not_help_are_the_last() -> None:
    """The bottleneck is elsewhere: the target goes back to its size before them, and says so."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(600.0)
    world.run(1800.0)
    assert world.last.reason is Reason.SATURATED
    assert "the bottleneck is elsewhere" in world.last.message
    raises = sum(b > a for a, b in zip([3, *world.sizes()], world.sizes(), strict=False))
    assert (raises, world.replicas) == (2, 3)


def test_saturation_ends_when_the_objective_holds_again() -> None:
    """What was downstream is well: the goal counts as before."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(600.0)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.05), P95: fresh(0.2)}
    world.run(10.0)
    assert world.last.reason is not Reason.SATURATED
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(10.0)
    assert world.last.reason in {Reason.SCALED_UP, Reason.AWAITING_READY}


def test_saturation_is_of_a_load_and_not_for_good() -> None:
    """When a tenth more requests come than at the last raise, raises are tried again."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(1800.0)
    world.broken = {RATE: fresh(50.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    assert world.decide().reason is Reason.SCALED_UP


@pytest.mark.parametrize("first", [True, False])
def test_a_latency_that_holds_does_not_hide_another_that_no_raise_helps(first: bool) -> None:  # noqa: FBT001  # the order of the goals
    """One goal per quantile, in either order: each is judged by its own."""
    p99 = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    goals = (p99, BY_LATENCY) if first else (BY_LATENCY, p99)
    world = World(policy(*goals, max_replicas=50), replicas=4)
    far = {Need(Measure.QUANTILE, "0.99"): fresh(0.9), P95: fresh(0.2)}
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.1), **far}
    world.run(2400.0)
    assert (world.replicas, world.last.reason) == (4, Reason.SATURATED)


def test_two_latencies_that_no_raise_helps_share_their_raises() -> None:
    """Each raise is tried for both: two are enough to know."""
    p99 = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    world = World(policy(BY_LATENCY, p99, max_replicas=50), replicas=4)
    far = {Need(Measure.QUANTILE, "0.99"): fresh(2.0), P95: fresh(0.9)}
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), **far}
    world.run(2400.0)
    raises = sum(b > a for a, b in pairwise([4, *world.sizes()]))
    assert (raises, world.replicas, world.last.reason) == (2, 4, Reason.SATURATED)


def test_a_raise_is_judged_before_the_next() -> None:
    """Until the new replicas are ready and the quantile was measured with them, none follows."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(5.0)
    first = world.replicas
    assert first > 3
    world.run(35.0)
    assert (world.replicas, world.last.reason) == (first, Reason.AWAITING_READY)
