"""Is one point better than a whole curve of rivals? The comparison that the leaderboard rests on.

A rival with a setting is not one opponent: whatever we cost, it may choose the setting that costs
the same. So its results over a sweep become a Pareto front, with straight lines between its points,
which one gets by running the one setting for part of the time: the front is never worse than what
its owner could have.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWER = 1 / 5
"""Share of the front's violations, at equal cost, that counts as a win."""
CHEAPER = 0.2
"""Share of the front's cost, at no more violations, that counts as a win."""
ENOUGH = 60
"""Violation-seconds of the front below which a share of them says nothing."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a setting came to."""

    hours: float
    violations: float


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The lower left convex hull: what no mixture of other points beats, the cheapest first."""
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
    """The front's violations at a cost; beyond its ends, those of the end."""
    if hours <= curve[0].hours:
        return curve[0].violations
    after = bisect_right([point.hours for point in curve], hours)
    if after == len(curve):
        return curve[-1].violations
    left, right = curve[after - 1], curve[after]
    share = (hours - left.hours) / (right.hours - left.hours)
    return left.violations + share * (right.violations - left.violations)


def hours_at(curve: Sequence[Point], violations: float) -> float:
    """The front's cost at no more violations than these. Where no setting has so few, the cost of
    the one that comes closest: it would need that much at least.
    """
    for left, right in pairwise(curve):
        if right.violations <= violations < left.violations:
            share = (left.violations - violations) / (left.violations - right.violations)
            return left.hours + share * (right.hours - left.hours)
    return curve[-1].hours if violations < curve[-1].violations else curve[0].hours


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ours against a front."""

    violations: float
    """The front's, at our cost."""
    hours: float
    """The front's, at no more violations than ours."""
    fewer: bool
    """Whether ours has at most a fifth of its violations, where it has enough to compare."""
    cheaper: bool
    """Whether ours costs at least a fifth less."""

    @property
    def won(self) -> bool:
        """Either is a win."""
        return self.fewer or self.cheaper


def judge(ours: Point, curve: Sequence[Point]) -> Verdict:
    """The verdict on one trace."""
    violations, hours = violations_at(curve, ours.hours), hours_at(curve, ours.violations)
    return Verdict(
        violations,
        hours,
        fewer=violations >= ENOUGH and ours.violations <= FEWER * violations,
        cheaper=ours.hours <= (1.0 - CHEAPER) * hours,
    )
