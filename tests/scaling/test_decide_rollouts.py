"""What may change during a rollout?"""

from borough_operator.decision.model import Reason, Rollout
from scaling.worlds import BY_IN_FLIGHT, IN_FLIGHT, World, fresh, policy, steady


def test_rollout_in_progress_delays_removals_only() -> None:
    """Replicas are added during the rollout."""
    world = steady(200.0, 12)
    world.rollout = Rollout.PROGRESSING
    world.load = lambda _: 20.0
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT)
    world.load = lambda _: 280.0
    world.run(10.0)
    assert world.replicas > 12


def test_failing_rollout_changes_nothing() -> None:
    """Nothing is added to a version that crashes, and nothing removed from the one that works."""
    world = steady(200.0, 12)
    world.rollout = Rollout.FAILING
    world.load = lambda _: 350.0
    world.run(120.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT_FAILING)
    world.load = lambda _: 20.0
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT_FAILING)


def test_unready_pods_do_not_raise_the_target() -> None:
    """The number depends on the load and not on the share of ready pods."""
    world = World(policy(), lambda _: 100.0, replicas=6, start_up=1e9)
    world.starting = [1e9] * 6
    world.rollout = Rollout.PROGRESSING
    assert set(world.run(1800.0).sizes()) == {6}


def test_waiting_load_during_a_rollout_raises_once_in_two_lead_times() -> None:
    """A queue that grows while new replicas crash does not raise at every decision."""
    world = World(policy(BY_IN_FLIGHT, max_replicas=1000), lambda _: 0.0, replicas=2, start_up=1e9)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    world.rollout = Rollout.PROGRESSING
    world.run(60.0)
    assert world.replicas == 6
