"""Does a scaler remember its readings, and only those of its present goals?"""

from dataclasses import replace

import pytest

from borough_operator.decision.memory import Latency, LoadHistory, Sample, Window
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


def test_changed_query_starts_with_an_empty_history() -> None:
    """A history in bytes is not one in jobs: the raw number is that of the jobs alone."""
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
    """The goals with remembered values at the first decision after an edit."""
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
def test_memory_is_kept_by_goal_and_source(other: Policy, kept: set[Goal]) -> None:
    """Another objective, query or source starts empty; other bounds or capacities do not."""
    world = World(policy(BY_RATE, BY_LATENCY), lambda _: 200.0, replicas=3)
    world.run(60.0)
    world.load = lambda _: 20.0
    assert edited(world, other) == {goal.identity for goal in kept}


def test_added_goal_needs_a_whole_window_of_readings() -> None:
    """Its demand within the others' window is unknown."""
    world = World(policy(), lambda _: 20.0, replicas=10)
    world.run(115.0)
    world.policy = policy(BY_RATE, BY_QUERY)
    world.run(115.0)
    assert (world.replicas, world.last.reason) == (10, Reason.WINDOW)
    world.run(20.0)
    assert world.replicas < 10


def test_removed_goal_ends_its_trial() -> None:
    """A trial of a removed objective delays no raise for another."""
    world = World(policy(BY_LATENCY), replicas=3)
    world.broken = {RATE: fresh(40.0), DURATION: fresh(0.3), P95: fresh(0.9)}
    world.run(5.0)
    assert len(world.history.memory.last_actions.trials) == 1
    world.policy = policy(replace(BY_LATENCY, objective=0.3))
    world.run(15.0)
    assert world.replicas > 6


@pytest.mark.parametrize("phase", range(4))
def test_step_is_seen_at_once_at_any_interval(phase: int) -> None:
    """At an interval of a second the newest reading counts, though few are kept."""
    world = World(policy(behavior=patient(interval=1.0)), lambda _: 20.0, replicas=2)
    world.run(60.0 + phase)
    world.load = lambda _: 200.0
    assert world.decide().reason is Reason.SCALED_UP
    assert world.replicas == 12


def test_samples_are_kept_four_seconds_apart() -> None:
    """And the newest beside them: at most sixteen in a minute, whatever the interval."""
    load = LoadHistory()
    for second in range(100):
        load = load.with_sample(Sample(float(second), float(second), 0.0), 60.0)
    assert [sample.at for sample in load.samples] == [*range(40, 100, 4), 99.0]
    assert load.with_sample(Sample(99.0, 7.0, 0.0), 60.0) is load


def test_window_never_understates_its_peaks() -> None:
    """More than 24 peaks are merged in pairs, by the larger."""
    needs = [(float(n), 100.0 - n) for n in range(60)]
    for count in range(1, len(needs) + 1):
        window = Window()
        for at, need in needs[:count]:
            window = window.with_demand(at, need, 1000.0)
        for since, need in needs[:count]:
            assert max(kept for at, kept in window.peaks if at >= since) >= need


def test_longer_window_starts_anew() -> None:
    """Demands before the shorter window were forgotten."""
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


def test_latency_goals_learn_separately() -> None:
    """Each goal learns what a replica is worth within its own objective."""
    other = Goal("Latency-2", GoalType.LATENCY, quantile="0.99", objective=0.5)
    world = World(policy(BY_LATENCY, other), lambda _: 200.0, replicas=3)
    world.broken = {Need(P95.measure, "0.99"): fresh(0.9)}
    world.decide()
    memory = world.history.memory
    held, missed = (
        memory.latencies.get(goal.identity, Latency()).servers for goal in (BY_LATENCY, other)
    )
    assert held is not None
    assert missed is not None
    assert held > missed
