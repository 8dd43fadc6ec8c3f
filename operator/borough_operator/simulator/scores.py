"""The scores of a run: violations, cost, and changes."""

from dataclasses import dataclass
from itertools import pairwise

from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import Timeline

REVERSAL_RATIO = 3
"""Minimum ratio of HPA's reversals on a rate to this operator's: the goal on `noisy`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one policy on one trace."""

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

    def meets_reversal_goal(self, rival: "Scores") -> bool:
        """Whether this has at most 1/`REVERSAL_RATIO` of the rival's reversals."""
        return REVERSAL_RATIO * self.reversals <= rival.reversals


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
