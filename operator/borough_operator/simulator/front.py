"""The comparison of one result with all settings of a rival: its Pareto front.

A rival with settings could always choose the one that costs the same. So its results over a sweep
become a Pareto front, with straight lines between its points: a mixture that runs one setting for
part of the time and another for the rest reaches every point of a line.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWER = 1 / 5
"""Share of the front's violations at equal cost, up to which a result is a win."""
CHEAPER = 0.2
"""Share of the front's cost, at no more violations, that must be saved for a win."""
ENOUGH = 60
"""Violation-seconds of the front below which violations are not compared."""


@dataclass(frozen=True, slots=True)
class Point:
    """Cost and violations of one setting."""

    hours: float
    """Replica-hours."""
    violations: float
    """Violation-seconds."""


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The lower left convex hull, the cheapest first: points that no mixture of others beats."""
    hull: list[Point] = []
    for point in sorted(set(points), key=lambda p: (p.hours, p.violations)):
        if hull and point.violations >= hull[-1].violations:
            continue
        while len(hull) > 1 and _above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return tuple(hull)


def _above(left: Point, middle: Point, right: Point) -> bool:
    """Whether the middle lies on or above the line from left to right."""
    over = (middle.violations - left.violations) * (right.hours - left.hours)
    return over >= (right.violations - left.violations) * (middle.hours - left.hours)


def violations_at(curve: Sequence[Point], hours: float) -> float:
    """The front's violations at a cost; beyond an end, those of the end."""
    if hours <= curve[0].hours:
        return curve[0].violations
    after = bisect_right([point.hours for point in curve], hours)
    if after == len(curve):
        return curve[-1].violations
    left, right = curve[after - 1], curve[after]
    share = (hours - left.hours) / (right.hours - left.hours)
    return left.violations + share * (right.violations - left.violations)


def hours_at(curve: Sequence[Point], violations: float) -> float:
    """The front's cost at no more than these violations. Where no setting has so few, the cost of
    the one with the fewest, which is a lower bound.
    """
    for left, right in pairwise(curve):
        if right.violations <= violations < left.violations:
            share = (left.violations - violations) / (left.violations - right.violations)
            return left.hours + share * (right.hours - left.hours)
    return curve[-1].hours if violations < curve[-1].violations else curve[0].hours


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result compared with a front."""

    violations: float
    """Violations of the front at the result's cost."""
    hours: float
    """Cost of the front at no more violations than the result's."""
    fewer: bool
    """Whether the result has at most `FEWER` of the front's violations, where these suffice to
    compare."""
    cheaper: bool
    """Whether the result costs at least `CHEAPER` less."""

    @property
    def won(self) -> bool:
        """Whether it is a win by either."""
        return self.fewer or self.cheaper


def compare(ours: Point, curve: Sequence[Point]) -> Verdict:
    """Compare a result with a front on one trace."""
    violations, hours = violations_at(curve, ours.hours), hours_at(curve, ours.violations)
    return Verdict(
        violations,
        hours,
        fewer=violations >= ENOUGH and ours.violations <= FEWER * violations,
        cheaper=ours.hours <= (1.0 - CHEAPER) * hours,
    )
