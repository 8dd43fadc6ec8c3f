"""Does a restart ever remove a replica earlier?"""

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from borough_operator.decision.goals import needs
from borough_operator.decision.model import Freshness, Goal, Need, Reading
from scaling.worlds import (
    BY_IN_FLIGHT,
    BY_LATENCY,
    BY_QUERY,
    BY_RATE,
    P95,
    World,
    fresh,
    patient,
    policy,
)

Phase = tuple[float | Reading, float, int]
"""A load or the reading instead of it, the latency, and the number of decisions with it."""

WINDOW = 40.0
TOLERANCE = 0.25
"""Share of a size that is not removed soon after a raise, although fewer would suffice."""
DEAD = (
    Reading(Freshness.STALE, 10.0, 90.0),
    Reading(Freshness.EMPTY),
    Reading(Freshness.ERROR, detail="no"),
)
phases = st.lists(
    st.tuples(
        st.sampled_from([0.0, 30.0, 100.0, 300.0]) | st.floats(0.0, 400.0) | st.sampled_from(DEAD),
        st.sampled_from([0.1, 0.2, 0.4]),
        st.integers(1, 30),
    ),
    min_size=1,
    max_size=6,
)


class Seen(NamedTuple):
    """One decision: its time, and the sizes before and after."""

    at: float
    had: int
    kept: int


def live(world: World, scenario: list[Phase]) -> list[Seen]:
    """Every decision of a scenario."""
    seen = []
    for load, quantile, count in scenario:
        broken: dict[Need, Reading] = {P95: fresh(quantile)}
        if isinstance(load, Reading):
            broken = dict.fromkeys(needs(world.policy), load)
        else:
            world.load = lambda _, load=load: load  # type: ignore[misc]  # bound now
        world.broken = broken
        for _ in range(count):
            at, had = world.time, world.replicas
            world.decide()
            world.time += world.policy.behavior.interval
            seen.append(Seen(at, had, world.replicas))
    return seen


@pytest.mark.parametrize(
    "goals", [(BY_RATE,), (BY_IN_FLIGHT,), (BY_QUERY,), (BY_LATENCY,), (BY_RATE, BY_LATENCY)]
)
@settings(max_examples=20)
@given(
    scenario=st.tuples(phases, phases),
    start_up=st.sampled_from([0.0, 8.0, 45.0]),
    budget=st.sampled_from([2, 12]),
    forgets=st.booleans(),
)
@example(scenario=([(0.0, 0.1, 7)], [(30.0, 0.1, 12)]), start_up=0.0, budget=2, forgets=False)
def test_restart_never_removes_a_replica_earlier(
    goals: tuple[Goal, ...],
    scenario: tuple[list[Phase], list[Phase]],
    start_up: float,
    budget: int,
    forgets: bool,  # noqa: FBT001  # drawn, not given
) -> None:
    """A new process removes nothing before a whole window of its own, and nothing while the old one
    would have removed nothing. Where both remove replicas it goes no lower than the old one would
    have by then, except for the tolerance, which may stop only one of them.

    The comparison ends where one of them adds and the other does not do the same: it then waits for
    another window, and continues from another number.
    """
    past, future = scenario
    behavior = patient(down_window=WINDOW, reversals_per_hour=budget)
    asks = policy(*goals, behavior=behavior)
    old = World(asks, replicas=5, start_up=start_up)
    live(old, past)
    new = copy(old)
    new.restart()
    if forgets:
        new.history = replace(new.history, reversals=None)
    restarted, size = new.time, old.replicas
    lowest = size
    for was, now in zip(live(old, future), live(new, future), strict=True):
        assert now.kept >= now.had or now.at - restarted >= WINDOW
        if was != now and (was.kept > was.had or now.kept > now.had):
            return
        lowest = min(lowest, was.kept)
        floor = lowest if lowest == size else lowest * (1.0 - TOLERANCE)
        assert now.kept >= min(now.had, floor)
