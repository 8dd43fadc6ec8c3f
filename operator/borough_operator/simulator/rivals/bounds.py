"""Two that nobody can run: a fixed size chosen with hindsight, and an oracle."""

from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.simulator.pods import Model
from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import WARM_UP, View, calm


@dataclass(slots=True)
class Static:
    """As many as the peak needs, always: what careful people run without an autoscaler."""

    replicas: int
    period: int = 1

    def look(self, view: View) -> int:
        """The same at every moment."""
        return self.replicas


def static(load: Sequence[float], station: Station) -> Static:
    """For the peak of this load."""
    return Static(station.need(max(load)))


@dataclass(slots=True)
class Oracle:
    """The fewest replicas that violate nothing, for somebody who knows the future."""

    plan: Sequence[int]
    """The size at each second of the trace."""
    before: int
    """The size in the warm-up."""
    period: int = 1

    def look(self, view: View) -> int:
        """What is planned for this second."""
        return self.before if view.now < WARM_UP else self.plan[view.now - WARM_UP]


def oracle(load: Sequence[float], station: Station, model: Model) -> Oracle:
    """The plan for this load.

    A pod that is to be ready at t must have been asked for by t - start, and is paid for since. So
    at each second there are at least as many as any second within the start-up time needs; and
    exactly so many are enough. With no violation anywhere, fewer is impossible.
    """
    ahead = int(-(-model.pod.start_s // 1))
    needs = [station.need(rate) for rate in load]
    plan = [max(needs[second : second + ahead + 1]) for second in range(len(needs))]
    return Oracle(plan, max(plan[0], station.need(calm(load))))
