"""What may a reading do that is not fresh?"""

from dataclasses import replace

import pytest

from borough_operator.decision.decide import decide
from borough_operator.decision.model import (
    Freshness,
    Goal,
    GoalType,
    History,
    Observation,
    Reading,
    Reason,
)
from scaling.worlds import (
    BY_IN_FLIGHT,
    BY_QUERY,
    BY_RATE,
    DURATION,
    IN_FLIGHT,
    JOBS,
    RATE,
    START,
    World,
    fresh,
    policy,
    steady,
)

STALE = Reading(Freshness.STALE, 1.0, 95.0)
EMPTY = Reading(Freshness.EMPTY)
ERROR = Reading(Freshness.ERROR, detail="prometheus answered 503")


@pytest.mark.parametrize(
    ("reading", "reason", "sentence"),
    [
        (STALE, Reason.METRICS_STALE, "RequestRate was last read 95 s ago"),
        (EMPTY, Reason.METRICS_EMPTY, "RequestRate is not known to the source"),
        (ERROR, Reason.METRICS_ERROR, "RequestRate cannot be read (prometheus answered 503)"),
    ],
)
def test_reading_that_is_not_fresh_keeps_the_number_with_its_reason(
    reading: Reading, reason: Reason, sentence: str
) -> None:
    """The message names the goal and the cause."""
    observation = Observation(7, 7, {RATE: reading})
    decision = decide(policy(), observation, History(), START)
    assert (decision.replicas, decision.reason, decision.raw) == (7, reason, None)
    assert sentence in decision.message
    assert decision.proposals[0].freshness is reading.freshness


def test_missing_reading_is_an_error() -> None:
    """A source must return a reading for every ask."""
    decision = decide(policy(), Observation(7, 7, {}), History(), START)
    assert (decision.replicas, decision.reason) == (7, Reason.METRICS_ERROR)


def test_fresh_goal_adds_while_another_has_an_error() -> None:
    """A demand that is certain is met."""
    readings = {RATE: fresh(200.0), IN_FLIGHT: ERROR}
    both = policy(BY_RATE, BY_IN_FLIGHT)
    assert decide(both, Observation(3, 3, readings), History(), START).replicas == 12


def test_fresh_goal_removes_nothing_while_another_is_stale() -> None:
    """The other goal might demand more."""
    world = World(policy(BY_RATE, BY_IN_FLIGHT), lambda _: 10.0, replicas=9)
    world.broken = {IN_FLIGHT: STALE}
    world.run(900.0)
    assert (world.replicas, world.last.reason) == (9, Reason.METRICS_STALE)


def test_reading_that_no_goal_needs_may_be_missing() -> None:
    """A rate goal works, and removes, without the requests in flight."""
    world = World(policy(), lambda _: 10.0, replicas=9)
    world.broken = {IN_FLIGHT: EMPTY}
    assert world.run(900.0).replicas == 1


@pytest.mark.parametrize(("empty", "left"), [("Zero", 1), ("Unknown", 9)])
def test_empty_query_is_zero_only_where_declared(empty: str, left: int) -> None:
    """With `empty: Zero` an empty result is no load; otherwise the load is unknown."""
    goal = replace(BY_QUERY, empty_is_zero=empty == "Zero")
    world = World(policy(goal), replicas=9)
    world.broken = {JOBS: EMPTY}
    world.run(900.0)
    assert world.replicas == left


def test_failed_query_is_never_zero() -> None:
    """`empty: Zero` covers empty results, not errors."""
    goal = replace(BY_QUERY, empty_is_zero=True)
    world = World(policy(goal), replicas=9)
    world.broken = {JOBS: ERROR}
    assert world.run(900.0).replicas == 9


def test_one_error_restarts_the_window() -> None:
    """Only consecutive fresh readings remove a replica."""
    world = steady(200.0, 12)
    world.load = lambda _: 40.0
    world.run(100.0)
    world.broken = {RATE: ERROR}
    world.run(5.0)
    world.broken = {}
    world.run(120.0)
    assert world.replicas == 12
    world.run(10.0)
    assert world.replicas < 12


def test_contradicting_readings_remove_nothing() -> None:
    """10 per second of 0.05 s each imply half a request in flight, and 40 are counted."""
    both = policy(BY_RATE, BY_IN_FLIGHT)
    world = World(both, lambda _: 10.0, replicas=9)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    world.run(900.0)
    assert (world.replicas, world.last.reason) == (9, Reason.METRICS_ERROR)
    assert "one of them is wrong" in world.last.message
    assert world.last.contradiction in world.last.message
    world.broken = {IN_FLIGHT: fresh(40.0), DURATION: fresh(4.0)}
    world.run(900.0)
    assert world.replicas < 9


def test_two_goals_of_one_type_have_separate_histories() -> None:
    """Each query has its own load history."""
    other = Goal("Query 2", GoalType.QUERY, per_replica=1.0, promql="sum(mails)")
    world = World(policy(BY_QUERY, other), lambda _: 30.0, replicas=3)
    world.run(30.0)
    assert [p.freshness for p in world.last.proposals] == [Freshness.FRESH, Freshness.ERROR]
    assert world.history.memory.loads.keys() == {BY_QUERY.identity}
