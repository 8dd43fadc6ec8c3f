"""What a timeline is worth: seconds of misery, hours paid for, and how restless it was."""

from dataclasses import dataclass
from itertools import pairwise

from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import Timeline

CALMER = 3
"""Reversals of HPA on a rate for each of ours, at least: the goal on `noisy`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one policy on one trace."""

    violations: int
    """Seconds whose modelled quantile was above the objective."""
    replica_hours: float
    """Replicas asked for, summed over time: what is paid for."""
    changes: int
    """How often the number asked for was changed."""
    reversals: int
    """How often a change went the other way than the one before it."""
    reaction: float | None
    """Mean seconds from the load needing more ready pods than there are to there being enough.
    Times that the load ended by falling do not count; None where there were no others."""

    def calm(self, rival: "Scores") -> bool:
        """Whether this reversed at most a third as often."""
        return CALMER * self.reversals <= rival.reversals


def score(timeline: Timeline, station: Station) -> Scores:
    """The scores of a whole timeline."""
    steps = [after - before for before, after in pairwise(timeline.replicas) if after != before]
    return Scores(
        violations=sum(second.violated for second in timeline.seconds),
        replica_hours=sum(timeline.replicas) / 3600.0,
        changes=len(steps),
        reversals=sum((before > 0) != (after > 0) for before, after in pairwise(steps)),
        reaction=_reaction(timeline, station),
    )


def _reaction(timeline: Timeline, station: Station) -> float | None:
    """Mean seconds from too few pods to enough, where pods came and not the load went."""
    waits: list[int] = []
    since, short = 0, 0
    for now, second in enumerate(timeline.seconds):
        if station.need(second.load) > second.ready:
            if not short:
                since, short = now, second.ready
        elif short:
            if second.ready > short:
                waits.append(now - since)
            short = 0
    return sum(waits) / len(waits) if waits else None
