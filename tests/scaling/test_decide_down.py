"""When is a replica removed, and never earlier?"""

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
    """When replicas were removed."""
    return [
        time
        for (_, before), (time, after) in pairwise(world.decisions)
        if after.replicas < before.replicas and time >= since
    ]


def test_a_replica_goes_only_after_a_whole_window_of_less() -> None:
    """The load falls, and for the window's 120 s nothing is removed; soon after, something is."""
    world = steady(200.0, 12)
    fell = world.time
    world.load = lambda _: 40.0
    world.run(300.0)
    first = removals(world)[0]
    assert first - fell == 120.0
    assert Reason.WINDOW in {d.reason for t, d in world.decisions if fell <= t < first}


def test_a_new_process_removes_nothing_until_it_has_seen_enough() -> None:
    """Its first removal comes after lookback and window, however low the load is."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(400.0)
    assert removals(world)[0] == pytest.approx(SOON, abs=5.0)


def test_a_gap_in_what_was_seen_begins_the_window_anew() -> None:
    """A process that slept for a minute does not know what happened meanwhile."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(100.0)
    world.time += 60.0
    resumed = world.time
    world.run(400.0)
    assert removals(world)[0] - resumed >= SOON


def test_one_peak_within_the_window_holds_what_it_needed() -> None:
    """Fifteen seconds of the old load are enough to keep what it needs for another window."""
    world = steady(200.0, 12)
    fell = world.time
    world.load = lambda time: 200.0 if fell + 90.0 <= time < fell + 105.0 else 40.0
    world.run(300.0)
    assert removals(world)[0] - fell >= 105.0 + 120.0 - 5.0


def test_a_step_down_is_a_share_of_the_size_and_takes_its_time() -> None:
    """At most a quarter goes at once, and the next step waits an eighth of the window."""
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


def test_the_direction_turns_only_for_more_than_it_takes_to_go_on() -> None:
    """A tenth less is too little soon after a raise, and enough a quarter of an hour later."""
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


def test_a_raise_is_followed_by_a_whole_window() -> None:
    """What was added for requests that waited stays for a window, although they are soon gone."""
    world = steady(100.0, 6)
    for waiting in (105.0, 205.0, 305.0, 405.0, 505.0):
        world.broken = {IN_FLIGHT: fresh(waiting)}
        world.run(5.0)
    raised = world.time - 5.0
    assert world.replicas > 8
    world.broken = {}
    world.run(400.0)
    assert removals(world)[0] - raised >= 120.0


def test_the_last_step_goes_down_to_the_least() -> None:
    """A target far above its needs comes down to `replicas.min`, however near that is."""
    world = World(policy(min_replicas=10), lambda _: 1.0, replicas=11)
    assert world.run(400.0).replicas == 10


def test_without_a_budget_left_nothing_is_removed() -> None:
    """A turn down needs two of the hour's reversals: itself and the way back."""
    world = steady(200.0, 12)
    used = tuple(world.now - n for n in range(11))
    world.history = replace(world.history, reversals=used)
    world.load = lambda _: 40.0
    world.run(300.0)
    assert removals(world, since=240.0) == []
    assert world.last.reason is Reason.REVERSALS
    assert "12 an hour" in world.last.message


def test_what_could_not_be_written_was_not_done() -> None:
    """A refused change leaves number, reversals and actions as they were; what was seen counts."""
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
def test_a_dead_metric_never_scales_down(
    past: list[tuple[float, int]], deaths: list[Reading], gap: int
) -> None:
    """After any load, in an outage of any length, no replica is removed."""
    world = World(policy(), replicas=5)
    for load, looks in past:
        world.load = lambda _, load=load: load  # type: ignore[misc]  # bound now
        world.run(5.0 * looks)
    alive = world.replicas
    for death in deaths:
        world.broken = {RATE: death}
        world.run(60.0)
        world.time += gap
    world.run(60.0)
    assert world.replicas >= alive
    assert BY_RATE.name in world.last.message
