"""Who owns the number: the operator, a manual hold, or another controller?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.decision.decide import decide
from borough_operator.decision.model import ForeignWriter, History, Hold, Mode, Observation, Reason
from scaling.worlds import RATE, START, World, fresh, policy, steady

DAY = 86400.0


def held() -> World:
    """A target at 6 replicas that was scaled to 3 by hand."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 3)
    return world


def test_foreign_change_is_held_for_manual_hold() -> None:
    """It is shown with its manager and end; then the operator scales again."""
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


def test_held_target_still_shows_its_proposals() -> None:
    """Goals are read during a hold."""
    decision = held().decide()
    assert (decision.binding, decision.raw) == ("RequestRate", 6)


def test_held_number_may_exceed_the_bounds() -> None:
    """The bounds limit the operator only."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 50)
    assert world.run(600.0).replicas == 50


def test_resume_annotation_ends_earlier_holds_only() -> None:
    """Holds that began after its time stay."""
    world = held()
    world.run(60.0)
    world.resume = world.now
    assert world.run(20.0).replicas == 6
    world.scaled_by("kubectl", 4)
    assert world.run(60.0).replicas == 4


def test_foreign_change_during_a_hold_restarts_it() -> None:
    """The newest number is held for the whole time."""
    world = held()
    world.run(600.0)
    world.scaled_by("kubectl", 9)
    world.run(600.0)
    assert (world.replicas, world.last.reason) == (9, Reason.MANUAL_HOLD)


def test_hold_follows_a_changed_manual_hold() -> None:
    """A shorter `manualHold` applies to a hold under way."""
    world = held()
    world.run(60.0)
    world.policy = policy(manual_hold=30.0)
    world.run(20.0)
    assert world.replicas == 6


def test_hold_survives_a_restart() -> None:
    """With its start and end."""
    world = held()
    world.run(600.0)
    world.restart()
    assert world.decide().reason is Reason.MANUAL_HOLD
    world.run(280.0)
    assert world.replicas == 3
    world.run(60.0)
    assert world.replicas == 6


def test_first_number_is_adopted() -> None:
    """A new target's number is not held, whatever its manager."""
    observation = Observation(3, 3, {RATE: fresh(100.0)}, writer=ForeignWriter("helm", START - DAY))
    decision = decide(policy(), observation, History(), START)
    assert (decision.replicas, decision.reason) == (6, Reason.SCALED_UP)


def test_own_write_lost_in_a_restart_is_not_foreign() -> None:
    """The number was written and the status was not: no other manager is recorded."""
    observation = Observation(6, 6, {RATE: fresh(100.0)})
    decision = decide(policy(), observation, History(applied=3, reversals=()), START)
    assert (decision.reason, decision.history.applied) == (Reason.STEADY, 6)


def test_foreign_write_of_the_same_number_is_not_held() -> None:
    """The number did not change."""
    world = steady(100.0, 6)
    world.scaled_by("kubectl", 6)
    assert world.decide().reason is Reason.STEADY


def contested() -> World:
    """A target whose controller restores 3 replicas ten seconds after every change."""
    world = steady(100.0, 3)
    world.replicas, world.history = 3, History()
    for _ in range(3):
        world.run(10.0)
        assert world.replicas == 6
        world.scaled_by("argocd", 3)
        world.run(900.0)
    return world


def test_three_reverts_in_a_row_make_the_target_contested() -> None:
    """Nothing is changed without end, and the message names the manager."""
    world = contested()
    world.run(2 * DAY / 24.0)
    assert (world.replicas, world.last.reason) == (3, Reason.CONTESTED)
    assert world.history.hold is not None
    assert world.history.hold.until == math.inf
    assert "argocd reverted 3 changes in a row and keeps 3 replicas" in world.last.message


def test_contested_target_survives_a_restart_until_resume() -> None:
    """After the annotation reverts are counted from 0."""
    world = contested()
    world.restart()
    world.run(1800.0)
    assert world.last.reason is Reason.CONTESTED
    world.resume = world.now
    world.run(10.0)
    assert world.replicas == 6
    world.scaled_by("argocd", 3)
    assert world.decide().reason is Reason.MANUAL_HOLD


def test_changes_of_a_held_number_do_not_contest() -> None:
    """Only prompt reverts of the operator's own writes count."""
    world = steady(100.0, 6)
    for replicas in (3, 4, 5, 7, 8):
        world.scaled_by("kubectl", replicas)
        world.run(60.0)
        assert world.last.reason is Reason.MANUAL_HOLD


def test_target_at_zero_stays_there() -> None:
    """Whatever the load; a later scale-up by hand is held."""
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


def test_paused_scaler_decides_nothing() -> None:
    """The target's number is shown, and no goal is read."""
    world = World(policy(mode=Mode.PAUSED), lambda _: 300.0, replicas=4)
    decision = world.run(60.0).last
    assert (decision.replicas, decision.reason, decision.write) == (4, Reason.PAUSED, False)
    assert decision.proposals == ()


def test_mode_can_be_changed_at_any_time() -> None:
    """From Advise to Auto the target's number is adopted, whatever its manager."""
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
def test_write_requires_auto_and_an_own_number_above_zero(
    mode: Mode, target: Observation, applied: int | None
) -> None:
    """Nothing is written in another mode, at zero, or over a foreign number; a written number
    differs.
    """
    decision = decide(policy(mode=mode), target, History(applied), START)
    foreign = applied is not None and target.writer is not None and target.replicas != applied
    if mode is not Mode.AUTO or target.replicas == 0 or foreign:
        assert not decision.write
    if decision.write:
        assert decision.replicas != target.replicas
    elif mode is not Mode.ADVISE:
        assert decision.replicas == target.replicas


@pytest.mark.parametrize("hold", [0.0, 1.0])
def test_zero_manual_hold_ends_at_the_next_decision(hold: float) -> None:
    """The number is the operator's again."""
    world = steady(100.0, 6)
    world.policy = policy(manual_hold=hold)
    world.scaled_by("kubectl", 3)
    assert world.run(10.0).replicas == 6
