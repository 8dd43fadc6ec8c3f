"""The scores of a run, and the comparison of one with all settings of a rival: its Pareto front.

A rival with settings could always choose the one that costs the same. So its results over a sweep
become a Pareto front, with straight lines between its points: a mixture that runs one setting for
part of the time and another for the rest reaches every point of a line.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import Timeline

FEWER = 1 / 5
"""Share of the front's violations at equal cost, up to which a result is a win."""
CHEAPER = 0.2
"""Share of the front's cost, at no more violations, that must be saved for a win."""
ENOUGH = 60
"""Violation-seconds of the front below which violations are not compared."""


@dataclass(frozen=True, slots=True)
class Scores:
    violations: int
    """Seconds whose modelled quantile was above the objective."""
    replica_hours: float
    """Requested replicas summed over time: the cost."""
    changes: int
    """How often the requested number changed."""
    reversals: int
    """How often a change had another direction than the one before."""
    reaction: float | None
    """Mean seconds from too few ready pods to enough. Times that ended by a falling load are left
    out; None where there are no others."""


def score(timeline: Timeline, station: Station) -> Scores:
    """The scores of a run."""
    steps = [after - before for before, after in pairwise(timeline.replicas) if after != before]
    return Scores(
        violations=sum(second.violated for second in timeline.seconds),
        replica_hours=sum(timeline.replicas) / 3600.0,
        changes=len(steps),
        reversals=sum((before > 0) != (after > 0) for before, after in pairwise(steps)),
        reaction=_reaction(timeline, station),
    )


def _reaction(timeline: Timeline, station: Station) -> float | None:
    """Mean seconds from too few pods to enough, where pods were added."""
    waits: list[int] = []
    since, short = 0, 0
    for now, second in enumerate(timeline.seconds):
        if station.pods_needed(second.load) > second.ready:
            if not short:
                since, short = now, second.ready
        elif short:
            if second.ready > short:
                waits.append(now - since)
            short = 0
    return sum(waits) / len(waits) if waits else None


@dataclass(frozen=True, slots=True)
class Point:
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
