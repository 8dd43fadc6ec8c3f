"""Is the cost of decisions and alternatives added up?"""

from dataclasses import replace

import pytest

from borough_operator.decision.decide import no_decision
from borough_operator.decision.model import NO_TARGET, Decision, History, Reason
from borough_operator.running.registry import Tally

SIX = Decision(6, Reason.STEADY, "", History(), hpa=4)


def test_decision_costs_its_replicas_over_time() -> None:
    """Replicas times seconds, and times CPU: of the scaler, of the HPA, and of the maximum."""
    tally = Tally()
    tally.add_period(SIX, most=10, cores=0.25, seconds=30.0)
    assert (tally.ours, tally.hpa, tally.most) == (180.0, 120.0, 300.0)
    assert (tally.ours_cores, tally.hpa_cores, tally.most_cores) == (45.0, 30.0, 75.0)


def test_hpa_without_a_number_costs_the_scalers() -> None:
    """It would have kept the present number."""
    tally = Tally()
    tally.add_period(replace(SIX, hpa=None), most=10, cores=0.25, seconds=30.0)
    assert tally.hpa == tally.ours


@pytest.mark.parametrize("reason", sorted(NO_TARGET))
def test_no_decision_costs_nothing(reason: Reason) -> None:
    """Neither for the scaler nor for the maximum."""
    tally = Tally()
    decision = no_decision(reason, "There is no target.", History(applied=4))
    tally.add_period(decision, most=50, cores=0.25, seconds=30.0)
    assert tally == Tally()


def test_change_against_the_one_before_is_a_reversal() -> None:
    """Two raises in a row are none, and the first removal is one."""
    tally = Tally()
    for before, after in ((2, 4), (4, 6), (6, 5), (5, 4), (4, 8)):
        tally.add_change(before, after)
    assert (tally.ups, tally.downs, tally.reversals) == (3, 2, 2)
