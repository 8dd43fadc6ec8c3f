"""What may happen to a target while its version changes?"""

from borough_operator.decision.model import Reason, Rollout
from scaling.worlds import BY_IN_FLIGHT, IN_FLIGHT, World, fresh, policy, steady


def test_a_rollout_in_progress_removes_nothing_and_may_add() -> None:
    """Less load waits for its end; more load does not."""
    world = steady(200.0, 12)
    world.rollout = Rollout.PROGRESSING
    world.load = lambda _: 20.0
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT)
    world.load = lambda _: 280.0
    world.run(10.0)
    assert world.replicas > 12


def test_a_failing_rollout_freezes_the_target() -> None:
    """No replica is added to a version that crashes, and none is taken from the one that works."""
    world = steady(200.0, 12)
    world.rollout = Rollout.FAILING
    world.load = lambda _: 350.0
    world.run(120.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT_FAILING)
    world.load = lambda _: 20.0
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (12, Reason.ROLLOUT_FAILING)


def test_pods_that_are_not_ready_do_not_multiply_the_target() -> None:
    """The answer comes from the load and never from a share of ready pods: that none of the newest
    version is ready is no reason for more of it.
    """
    world = World(policy(), lambda _: 100.0, replicas=6, start_up=1e9)
    world.starting = [1e9] * 6
    world.rollout = Rollout.PROGRESSING
    assert set(world.run(1800.0).sizes()) == {6}


def test_what_waits_for_a_rollout_is_bounded_by_the_replicas_asked_for() -> None:
    """A queue that grows while replicas crash raises once in two lead times, not at every look."""
    world = World(policy(BY_IN_FLIGHT, max_replicas=1000), lambda _: 0.0, replicas=2, start_up=1e9)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    world.rollout = Rollout.PROGRESSING
    world.run(60.0)
    assert world.replicas == 6
