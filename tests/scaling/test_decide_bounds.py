"""Do the bounds hold, and how does a target outside of them return?"""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.decide import decide
from borough_operator.decision.model import (
    Clamp,
    Freshness,
    History,
    Observation,
    Reading,
    Reason,
    Rollout,
)
from scaling.worlds import RATE, START, World, fresh, patient, policy

DEAD = Reading(Freshness.ERROR, detail="connection refused")


@settings(max_examples=50)
@given(
    st.lists(st.floats(0.0, 5000.0), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 9)
)
def test_bounds_hold_for_any_load(loads: list[float], least: int, more: int) -> None:
    """No number is below the minimum, and none is above both the maximum and the present number."""
    within = policy(min_replicas=least, max_replicas=least + more)
    world = World(within, lambda time: loads[int(time / 5.0) % len(loads)], replicas=5)
    sizes = [5, *world.run(200.0).sizes()]
    assert all(least <= after <= max(least + more, before) for before, after in pairwise(sizes))


def test_number_below_the_minimum_is_raised_at_once() -> None:
    """Whatever the readings are."""
    decision = decide(policy(min_replicas=2), Observation(1, 1, {}), History(), START)
    assert (decision.replicas, decision.reason) == (2, Reason.AT_MIN)
    assert decision.clamps == (Clamp(Reason.AT_MIN, 1, 2),)
    assert decision.write


def test_number_above_the_maximum_is_kept_in_an_outage() -> None:
    """The target was scaled up by hand during the outage: the end of the hold removes nothing."""
    world = World(policy(manual_hold=60.0), replicas=15, broken={RATE: DEAD})
    world.run(30.0)
    world.scaled_by("kubectl", 40)
    world.run(3600.0)
    assert (world.replicas, world.last.reason) == (40, Reason.METRICS_ERROR)


@pytest.mark.parametrize("load", [100.0, 5000.0])
def test_lowered_maximum_is_reached_in_steps_after_the_window(load: float) -> None:
    """Whatever the load: after a window of fresh readings, a share at a time, with its reason."""
    world = World(policy(), lambda _: load, replicas=40)
    world.run(110.0)
    assert (world.replicas, world.last.reason) == (40, Reason.WINDOW)
    world.run(20.0)
    assert (world.replicas, world.last.reason) != (40, Reason.WINDOW)
    world.run(120.0)
    steps = [(a, b) for a, b in pairwise([40, *world.sizes()]) if a != b]
    first = next(d for _, d in world.decisions if d.replicas == 30)
    assert steps[:3] == [(40, 30), (30, 23), (23, 20 if load > 400.0 else 18)]
    assert first.reason is Reason.AT_MAX
    assert first.message.startswith("From 40 to 30 replicas")
    assert first.message.endswith("replicas.max is 20.")


def test_number_above_the_maximum_is_kept_during_a_rollout() -> None:
    """The maximum has no precedence over the rollout."""
    world = World(policy(), lambda _: 5000.0, replicas=40, rollout=Rollout.PROGRESSING)
    world.run(300.0)
    assert (world.replicas, world.last.reason) == (40, Reason.ROLLOUT)


def test_demand_within_the_tolerance_has_no_clamp() -> None:
    """The demand of 39 is within the tolerance of 38: nothing is done, and no clamp is reported."""
    wide = policy(max_replicas=100, behavior=patient(tolerance_up=0.05))
    observation = Observation(38, 38, {RATE: fresh(730.0)})  # 36.5 + 0.4*sqrt(36.5) = 38.9
    decision = decide(wide, observation, History(), START)
    assert (decision.replicas, decision.raw, decision.reason) == (38, 39, Reason.STEADY)
    assert decision.clamps == ()
