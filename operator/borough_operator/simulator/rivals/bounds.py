"""Two bounds that need knowledge of the whole load: a fixed size, and an oracle."""

from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.simulator.pods import Model
from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import WARM_UP, View, warm_up_rate


@dataclass(slots=True)
class Static:
    """As many pods as the peak needs, all the time: a cautious size without an autoscaler."""

    replicas: int
    period: int = 1

    def scale(self, view: View) -> int:
        """The fixed size."""
        return self.replicas


def static(load: Sequence[float], station: Station) -> Static:
    """The fixed size for the peak of this load."""
    return Static(station.pods_needed(max(load)))


@dataclass(slots=True)
class Oracle:
    """The fewest replicas without a violation, with knowledge of the future."""

    plan: Sequence[int]
    """The size at each second of the trace."""
    before: int
    """The size in the warm-up."""
    period: int = 1

    def scale(self, view: View) -> int:
        """The planned size of this second."""
        return self.before if view.now < WARM_UP else self.plan[view.now - WARM_UP]


def oracle(load: Sequence[float], station: Station, model: Model) -> Oracle:
    """The plan for this load.

    A pod that is needed at t must be requested at t - start_s and is paid for since. So at each
    second there are as many pods as the largest need within the start-up time ahead. Without a
    violation anywhere, fewer is impossible.
    """
    ahead = int(-(-model.pod.start_s // 1))
    needs = [station.pods_needed(rate) for rate in load]
    plan = [max(needs[second : second + ahead + 1]) for second in range(len(needs))]
    return Oracle(plan, max(plan[0], station.pods_needed(warm_up_rate(load))))
