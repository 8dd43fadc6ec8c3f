"""When are replicas removed?"""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.decide import decide, unwritten
from borough_operator.decision.model import Freshness, Observation, Reading, Reason
from scaling.worlds import (
    BY_RATE,
    IN_FLIGHT,
    RATE,
    SOON,
    START,
    World,
    fresh,
    policy,
    steady,
)


def removals(world: World, since: float = 0.0) -> list[float]:
    """The times of removals."""
    return [
        time
        for (_, before), (time, after) in pairwise(world.decisions)
        if after.replicas < before.replicas and time >= since
    ]


def test_replica_is_removed_only_after_a_whole_window() -> None:
    """The load falls, and nothing is removed for the window's 120 s."""
    world = steady(200.0, 12)
    fell = world.time
    world.load = lambda _: 40.0
    world.run(300.0)
    first = removals(world)[0]
    assert first - fell == 120.0
    assert Reason.WINDOW in {d.reason for t, d in world.decisions if fell <= t < first}


def test_new_process_removes_nothing_before_a_full_window() -> None:
    """However low the load is."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(400.0)
    assert removals(world)[0] == pytest.approx(SOON, abs=5.0)


def test_gap_between_decisions_restarts_the_window() -> None:
    """Readings of before a pause of a minute do not count."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(100.0)
    world.time += 60.0
    resumed = world.time
    world.run(400.0)
    assert removals(world)[0] - resumed >= SOON


def test_peak_within_the_window_delays_the_removal() -> None:
    """Fifteen seconds of the old load keep its replicas for another window."""
    world = steady(200.0, 12)
    fell = world.time
    world.load = lambda time: 200.0 if fell + 90.0 <= time < fell + 105.0 else 40.0
    world.run(300.0)
    assert removals(world)[0] - fell >= 105.0 + 120.0 - 5.0


def test_removal_is_limited_to_a_share_and_spaced() -> None:
    """At most a quarter at once, and the next step an eighth of the window later."""
    world = steady(300.0, 18)
    fell = world.time
    world.load = lambda _: 10.0
    world.run(600.0)
    steps = [
        (time, before.replicas, after.replicas)
        for (_, before), (time, after) in pairwise(world.decisions)
        if time >= fell and after.replicas < before.replicas
    ]
    assert all(before - after <= max(1, before // 4) for _, before, after in steps)
    assert {d.reason for t, d in world.decisions if t in {s[0] for s in steps}} == {
        Reason.SCALED_DOWN
    }
    assert all(b[0] - a[0] >= 15.0 for a, b in pairwise(steps))
    assert world.replicas == 1


def test_reversal_soon_after_a_raise_needs_a_larger_margin() -> None:
    """A tenth less is not enough soon after a raise, and enough a quarter of an hour later."""
    world = steady(200.0, 12)
    world.load = lambda _: 150.0  # 7.5 need 8.6: a quarter less than 12 is 9
    world.run(300.0)
    assert world.replicas == 9
    world.load = lambda _: 135.0  # 6.75 need 7.8: a tenth less than 9 is 8.1
    world.run(300.0)
    assert world.replicas == 8
    other = steady(200.0, 12)
    other.load = lambda _: 180.0  # 9 need 10.2, not a quarter less
    other.run(600.0)
    assert other.replicas == 12
    other.run(600.0)
    assert other.replicas == 11


def test_raise_is_kept_for_a_whole_window() -> None:
    """Replicas added for waiting requests stay for a window, although these are soon gone."""
    world = steady(100.0, 6)
    for waiting in (105.0, 205.0, 305.0, 405.0, 505.0):
        world.broken = {IN_FLIGHT: fresh(waiting)}
        world.run(5.0)
    raised = world.time - 5.0
    assert world.replicas > 8
    world.broken = {}
    world.run(400.0)
    assert removals(world)[0] - raised >= 120.0


def test_last_step_reaches_the_minimum() -> None:
    """A target far above its demand is reduced to `replicas.min`, however near that is."""
    world = World(policy(min_replicas=10), lambda _: 1.0, replicas=11)
    assert world.run(400.0).replicas == 10


def test_exhausted_reversal_budget_prevents_removal() -> None:
    """A removal after a raise needs two reversals left: itself and the way back."""
    world = steady(200.0, 12)
    used = tuple(world.now - n for n in range(11))
    world.history = replace(world.history, reversals=used)
    world.load = lambda _: 40.0
    world.run(300.0)
    assert removals(world, since=240.0) == []
    assert world.last.reason is Reason.REVERSALS
    assert "12 an hour" in world.last.message


def test_unwritten_decision_keeps_number_reversals_and_actions() -> None:
    """What was read is kept."""
    before = steady(100.0, 6).history
    observation = Observation(6, 6, {RATE: fresh(300.0)})
    decision = decide(policy(), observation, before, START + 240.0)
    after = unwritten(decision, before)
    assert decision.write
    assert decision.history.applied == decision.replicas
    assert (after.applied, after.reversals, after.memory.last_actions) == (
        before.applied,
        before.reversals,
        before.memory.last_actions,
    )
    assert after.memory.loads == decision.history.memory.loads


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0.0, 400.0), st.integers(1, 30)), max_size=6),
    st.lists(
        st.sampled_from(
            [
                Reading(Freshness.STALE, 10.0, 90.0),
                Reading(Freshness.EMPTY),
                Reading(Freshness.ERROR, detail="connection refused"),
            ]
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 2000),
)
def test_outage_of_any_length_removes_nothing(
    past: list[tuple[float, int]], outage: list[Reading], gap: int
) -> None:
    """After any load, whatever the freshness of the readings."""
    world = World(policy(), replicas=5)
    for load, looks in past:
        world.load = lambda _, load=load: load  # type: ignore[misc]  # bound now
        world.run(5.0 * looks)
    alive = world.replicas
    for reading in outage:
        world.broken = {RATE: reading}
        world.run(60.0)
        world.time += gap
    world.run(60.0)
    assert world.replicas >= alive
    assert BY_RATE.name in world.last.message
