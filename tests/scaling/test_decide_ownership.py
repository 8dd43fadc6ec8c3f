"""Whose number is it: ours, a person's, or another controller's?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.decision.decide import decide
from borough_operator.decision.model import ForeignWriter, History, Hold, Mode, Observation, Reason
from scaling.worlds import RATE, START, World, fresh, policy, steady

DAY = 86400.0


def held() -> World:
    """A target at 6 replicas that somebody scaled to 3."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 3)
    return world


def test_a_change_by_somebody_else_is_held_for_its_time() -> None:
    """For `manualHold` it is left alone, shown with its manager and end; then it is ours again."""
    world = held()
    since = world.time
    decision = world.decide()
    assert (decision.replicas, decision.reason, decision.write) == (3, Reason.MANUAL_HOLD, False)
    assert decision.history.hold == Hold("kubectl", 3, START + since, START + since + 900.0)
    assert decision.message == (
        "kubectl set 3 replicas at 2027-01-15T08:03:05Z: held until 2027-01-15T08:18:05Z."
    )
    world.run(895.0)
    assert world.replicas == 3
    world.run(20.0)
    assert world.replicas == 6


def test_a_hold_shows_what_the_goals_would_ask_for() -> None:
    """The proposals go on beside the held number."""
    decision = held().decide()
    assert (decision.binding, decision.raw) == ("RequestRate", 6)


def test_bounds_are_for_us_and_not_for_a_held_number() -> None:
    """A person may go beyond what the operator may."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 50)
    assert world.run(600.0).replicas == 50


def test_the_annotation_ends_a_hold_that_began_before_it() -> None:
    """`borough.dev/resume` names a moment, and later holds are held."""
    world = held()
    world.run(60.0)
    world.resume = world.now
    assert world.run(20.0).replicas == 6
    world.scaled_by("kubectl", 4)
    assert world.run(60.0).replicas == 4


def test_another_change_during_a_hold_begins_it_anew() -> None:
    """The newest number counts, and has its whole time."""
    world = held()
    world.run(600.0)
    world.scaled_by("kubectl", 9)
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (9, Reason.MANUAL_HOLD)


def test_a_hold_is_as_long_as_the_policy_says_now() -> None:
    """Who shortens `manualHold` need not wait for the old one."""
    world = held()
    world.run(60.0)
    world.policy = policy(manual_hold=30.0)
    world.run(20.0)
    assert world.replicas == 6


def test_a_hold_survives_a_restart() -> None:
    """Its start and its end are what they were."""
    world = held()
    world.run(600.0)
    world.restart()
    assert world.decide().reason is Reason.MANUAL_HOLD
    world.run(280.0)
    assert world.replicas == 3
    world.run(60.0)
    assert world.replicas == 6


def test_the_first_number_is_adopted() -> None:
    """A target that is taken over is not held, whoever wrote its number."""
    observation = Observation(3, 3, {RATE: fresh(100.0)}, writer=ForeignWriter("helm", START - DAY))
    decision = decide(policy(), observation, History(), START)
    assert (decision.replicas, decision.reason) == (6, Reason.SCALED_UP)


def test_a_number_of_ours_that_was_forgotten_is_not_foreign() -> None:
    """Written, and lost with the process before the status was: nobody else is named as writer."""
    observation = Observation(6, 6, {RATE: fresh(100.0)})
    decision = decide(policy(), observation, History(applied=3, reversals=()), START)
    assert (decision.reason, decision.history.applied) == (Reason.STEADY, 6)


def test_a_write_of_ours_by_another_name_is_no_change() -> None:
    """Somebody who sets the number we gave holds nothing."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 6)
    assert world.decide().reason is Reason.STEADY


def contested() -> World:
    """A controller that wants 3, and puts it back ten seconds after every change."""
    world = steady(100.0, 3)
    world.replicas, world.history = 3, History()
    for _ in range(3):
        world.run(10.0)
        assert world.replicas == 6
        world.scaled_by("argocd", 3)
        world.run(900.0)
    return world


def test_a_controller_that_undoes_three_changes_in_a_row_is_left_alone() -> None:
    """Hands are off, for good, and it is said who and why."""
    world = contested()
    world.run(2 * DAY / 24.0)
    assert (world.replicas, world.last.reason) == (3, Reason.CONTESTED)
    assert world.history.hold is not None
    assert world.history.hold.until == math.inf
    assert "argocd reverted 3 changes in a row and keeps 3 replicas" in world.last.message


def test_a_contest_survives_a_restart_and_ends_with_the_annotation() -> None:
    """Nothing else ends it, and then it begins to count anew."""
    world = contested()
    world.restart()
    world.run(1800.0)
    assert world.last.reason is Reason.CONTESTED
    world.resume = world.now
    world.run(10.0)
    assert world.replicas == 6
    world.scaled_by("argocd", 3)
    assert world.decide().reason is Reason.MANUAL_HOLD


def test_a_person_who_changes_the_number_often_contests_nothing() -> None:
    """Only changes of ours that are undone at once count, not those of held numbers."""
    world = steady(100.0, 6)
    for replicas in (3, 4, 5, 7, 8):
        world.scaled_by("kubectl", replicas)
        world.run(60.0)
        assert world.last.reason is Reason.MANUAL_HOLD


def test_a_target_at_zero_stays_there() -> None:
    """Somebody meant it, whatever the load; who scales it up again is held like anybody."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 0)
    world.run(1800.0)
    assert (world.replicas, world.last.reason, world.last.write) == (
        0,
        Reason.SCALED_TO_ZERO,
        False,
    )
    world.scaled_by("kubectl", 2)
    assert world.decide().reason is Reason.MANUAL_HOLD


def test_a_paused_scaler_asks_for_nothing() -> None:
    """The target's number is said, and no goal is looked at."""
    world = World(policy(mode=Mode.PAUSED), lambda _: 300.0, replicas=4)
    decision = world.run(60.0).last
    assert (decision.replicas, decision.reason, decision.write) == (4, Reason.PAUSED, False)
    assert decision.proposals == ()


def test_a_mode_can_be_switched_live() -> None:
    """From advice to automatic the target's number is adopted, whoever wrote it, and then moved."""
    world = World(policy(mode=Mode.ADVISE), lambda _: 100.0, replicas=3)
    world.writer = ForeignWriter("kube-controller-manager", START - DAY)
    world.run(60.0)
    assert (world.replicas, world.last.replicas) == (3, 6)
    world.policy = policy()
    assert world.run(5.0).replicas == 6
    world.policy = policy(mode=Mode.PAUSED)
    world.load = lambda _: 300.0
    assert world.run(60.0).replicas == 6


targets = st.builds(
    Observation,
    replicas=st.integers(0, 40),
    ready=st.just(3),
    readings=st.floats(0.0, 1000.0).map(lambda load: {RATE: fresh(load)}),
    writer=st.none()
    | st.builds(ForeignWriter, st.sampled_from(["kubectl", "argocd"]), st.just(START)),
)


@given(st.sampled_from(Mode), targets, st.none() | st.integers(1, 40))
def test_nothing_is_written_while_hands_are_off(
    mode: Mode, target: Observation, applied: int | None
) -> None:
    """A write means Auto, a target above zero, and nobody else's number; its answer is another."""
    decision = decide(policy(mode=mode), target, History(applied), START)
    foreign = applied is not None and target.writer is not None and target.replicas != applied
    if mode is not Mode.AUTO or target.replicas == 0 or foreign:
        assert not decision.write
    if decision.write:
        assert decision.replicas != target.replicas
    elif mode is not Mode.ADVISE:
        assert decision.replicas == target.replicas


@pytest.mark.parametrize("hold", [0.0, 1.0])
def test_a_hold_may_be_nothing(hold: float) -> None:
    """`manualHold: 0s` gives the number back at the next evaluation."""
    world = steady(100.0, 6)
    world.policy = policy(manual_hold=hold)
    world.scaled_by("kubectl", 3)
    assert world.run(10.0).replicas == 6
