"""Is a result compared with the best that a rival reaches at its cost?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.simulator.scores import Point, compare, front, hours_at, violations_at

CURVE = front([Point(10, 500), Point(12, 100), Point(11, 400), Point(14, 0), Point(13, 200)])
POINTS = st.lists(
    st.builds(Point, st.integers(1, 50).map(float), st.integers(0, 900).map(float)), min_size=1
)


def test_front_keeps_points_that_no_mixture_beats() -> None:
    """(11, 400) lies above the line from (10, 500) to (12, 100), and (13, 200) beside nothing."""
    assert (Point(10, 500), Point(12, 100), Point(14, 0)) == CURVE


@given(POINTS)
def test_no_point_is_below_its_front(points: list[Point]) -> None:
    """At a setting's cost the front has no more violations than the setting."""
    curve = front(points)

    for point in points:
        assert violations_at(curve, point.hours) <= point.violations + 1e-6
        assert hours_at(curve, point.violations) <= point.hours + 1e-6


@pytest.mark.parametrize(
    ("hours", "violations"), [(9, 500), (10, 500), (11, 300), (13, 50), (14, 0), (20, 0)]
)
def test_front_is_linear_between_two_settings(hours: float, violations: float) -> None:
    """A mixture of two settings; beyond an end it is constant."""
    assert violations_at(CURVE, hours) == violations


def test_cost_at_given_violations_is_on_the_front() -> None:
    """Where the front has no point with so few, the cost of its best is a lower bound."""
    assert hours_at(CURVE, 300) == 11
    assert hours_at(CURVE, 0) == 14
    assert hours_at(CURVE, 600) == 10
    assert hours_at(front([Point(10, 50), Point(12, 20)]), 0) == 12


@pytest.mark.parametrize(
    ("ours", "fewer", "cheaper"),
    [
        (Point(11, 60), True, False),  # a fifth of 300, and 11 of 12.8
        (Point(11, 61), False, False),
        (Point(13.9, 0), False, False),  # the front has 2.5 there, too few to compare
        (Point(11.2, 0), True, True),  # 11.2 is four fifths of 14
        (Point(9, 600), False, False),  # cheaper than any setting, and worse
    ],
)
def test_win_is_a_fifth_of_the_violations_or_a_fifth_less_cost(
    ours: Point, *, fewer: bool, cheaper: bool
) -> None:
    """By either condition."""
    verdict = compare(ours, CURVE)

    assert (verdict.fewer, verdict.cheaper) == (fewer, cheaper)
    assert verdict.won == (fewer or cheaper)
