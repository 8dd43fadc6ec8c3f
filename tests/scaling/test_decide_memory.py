"""Is what a scaler remembers what it has seen, and of the goal that it asks about now?"""

from dataclasses import replace

import pytest

from borough_operator.decision.memory import LoadHistory, Sample, Window
from borough_operator.decision.model import Goal, GoalType, Need, Policy, Reason
from scaling.worlds import (
    BY_LATENCY,
    BY_QUERY,
    BY_RATE,
    DURATION,
    JOBS,
    P95,
    RATE,
    World,
    fresh,
    patient,
    policy,
)

BYTES = replace(BY_QUERY, promql="sum(bytes)", per_replica=1e5)


def test_a_query_of_another_unit_begins_without_the_past_of_the_old_one() -> None:
    """A minute of bytes is no minute of jobs: sixty of these need seven, not all there may be."""
    world = World(policy(BYTES), replicas=11)
    world.broken = {Need(JOBS.measure, BYTES.promql): fresh(9e5), JOBS: fresh(60.0)}
    world.run(300.0)
    assert world.replicas == 11
    world.policy = policy(BY_QUERY)
    world.run(115.0)
    assert (world.last.raw, world.replicas) == (7, 11)
    world.run(60.0)
    assert world.replicas == 7


def edited(world: World, other: Policy) -> set[str]:
    """The goals of which something is remembered at the first look after an edit."""
    world.policy = other
    world.decide()
    memory = world.history.memory
    loads = {goal for goal, load in memory.loads.items() if len(load.samples) > 1}
    return loads | {
        goal for goal, learned in memory.latencies.items() if (learned.servers or 0.0) > 1.5
    }


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (policy(BY_RATE, BY_LATENCY, max_replicas=9), {BY_RATE, BY_LATENCY}),
        (policy(replace(BY_RATE, per_replica=5.0), BY_LATENCY), {BY_RATE, BY_LATENCY}),
        (policy(BY_LATENCY, BY_RATE), {BY_RATE, BY_LATENCY}),
        (policy(BY_RATE, replace(BY_LATENCY, objective=0.5)), {BY_RATE}),
        (policy(BY_LATENCY), {BY_LATENCY}),
        (policy(BY_RATE, BY_LATENCY, source="Pods metrics"), set()),
    ],
)
def test_what_was_learned_is_of_a_goal_and_of_a_source(other: Policy, kept: set[Goal]) -> None:
    """Another objective, unit or source starts afresh; another bound or capacity does not."""
    world = World(policy(BY_RATE, BY_LATENCY), lambda _: 200.0, replicas=3)
    world.run(60.0)
    world.load = lambda _: 20.0
    assert edited(world, other) == {goal.identity for goal in kept}


def test_a_goal_that_joins_has_to_be_heard_for_a_whole_window() -> None:
    """What it needed within the window of the others nobody knows."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(115.0)
    world.policy = policy(BY_RATE, BY_QUERY)
    world.run(115.0)
    assert (world.replicas, world.last.reason) == (10, Reason.WINDOW)
    world.run(20.0)
    assert world.replicas < 10


def test_a_trial_ends_with_its_goal() -> None:
    """An objective that is no longer asked for holds up no raise for another."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(5.0)
    assert len(world.history.memory.last_actions.trials) == 1
    world.policy = policy(replace(BY_LATENCY, objective=0.3))
    world.run(15.0)
    assert world.replicas > 6


@pytest.mark.parametrize("phase", range(4))
def test_a_step_is_seen_at_the_first_look_however_often_there_is_one(phase: int) -> None:
    """At a look a second the newest reading counts, though few are kept."""
    world = World(policy(behavior=patient(interval=1.0)), lambda _: 20.0, replicas=2)
    world.run(60.0 + phase)
    world.load = lambda _: 200.0
    assert world.decide().reason is Reason.SCALED_UP
    assert world.replicas == 12


def test_samples_are_kept_four_seconds_apart_and_the_newest_besides() -> None:
    """So a minute is at most sixteen, whatever the interval."""
    load = LoadHistory()
    for second in range(100):
        load = load.with_sample(Sample(float(second), float(second), 0.0), 60.0)
    assert [sample.at for sample in load.samples] == [*range(40, 100, 4), 99.0]
    assert load.with_sample(Sample(99.0, 7.0, 0.0), 60.0) is load


def test_a_long_fall_is_remembered_by_its_largest() -> None:
    """Twenty-five needs and more are told apart by half, and none of them is understated."""
    needs = [(float(n), 100.0 - n) for n in range(60)]
    for count in range(1, len(needs) + 1):
        window = Window()
        for at, need in needs[:count]:
            window = window.with_demand(at, need, 1000.0)
        for since, need in needs[:count]:
            assert max(kept for at, kept in window.peaks if at >= since) >= need


def test_a_window_that_grows_begins_anew() -> None:
    """What was needed before the shorter one was forgotten."""
    world = World(policy(), lambda time: 200.0 if time < 60.0 else 20.0, replicas=12)
    world.run(175.0)
    assert world.replicas == 12
    world.policy = policy(behavior=patient(down_window=600.0))
    edited_at = world.time
    world.run(595.0)
    assert (world.replicas, world.last.reason) == (12, Reason.WINDOW)
    world.run(15.0)
    assert world.replicas < 12
    assert world.time - edited_at >= 600.0


def test_a_second_latency_has_a_memory_of_its_own() -> None:
    """Each goal learns what a replica is worth within its own objective."""
    other = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    world = World(policy(BY_LATENCY, other), lambda _: 200.0, replicas=3)
    world.broken = {Need(P95.measure, "0.99"): fresh(0.9)}
    world.decide()
    memory = world.history.memory
    held, missed = (memory.latency(goal.identity).servers for goal in (BY_LATENCY, other))
    assert held is not None
    assert missed is not None
    assert held > missed
