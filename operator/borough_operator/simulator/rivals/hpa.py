"""The HorizontalPodAutoscaler, on CPU and on a rate, and KEDA, which has one scale from 1 to N.

All three look every 15 s and go through the same windows and policies, those of
`borough_operator.decision.hpa`; what differs is the formula and how old its metric is.
"""

import math
from dataclasses import dataclass, field

from borough_operator.decision import hpa
from borough_operator.simulator import paths
from borough_operator.simulator.pods import Model
from borough_operator.simulator.timeline import View


@dataclass(slots=True)
class _Controller:
    """The part that all have: a proposal, then windows and limits."""

    model: Model
    target: int
    """Percent of what a pod can do: of its CPU request, or of its rate when always busy."""
    down_window: float = hpa.DOWN_WINDOW
    rate_window: int = 60
    """Seconds of `rate()`, for the two that read Prometheus."""
    period: int = int(hpa.PERIOD)
    memory: hpa.Memory = field(default_factory=hpa.Memory)

    def look(self, view: View) -> int:
        """The answer, or the present size where the metric cannot be read yet."""
        desired = self.proposal(view)
        if desired is None:
            return view.replicas
        bounds = hpa.Bounds(1, view.maximum, self.down_window)
        size, self.memory = hpa.normalize(view.replicas, desired, self.memory, bounds, view.now)
        return size

    def proposal(self, view: View) -> int | None:
        """What the metric asks for, before windows and limits; None where it cannot be read."""
        raise NotImplementedError  # each metric has its own

    @property
    def rate(self) -> float:
        """Requests a second that one pod shall have."""
        return self.model.pod.capacity * self.target / 100


def _ready_since(view: View, start: int) -> int:
    """Pods that have been ready all the time since then."""
    return min([view.ready, *(second.ready for second in view.record.seconds[start:])])


class HpaCpu(_Controller):
    """`type: Resource`, `cpu`, `averageUtilization`."""

    def proposal(self, view: View) -> int | None:
        """Utilisation of the pods that were ready for a whole window; the others are unready."""
        window = paths.cpu(self.model.cpu, view.now)
        if window is None:
            return None
        measured = _ready_since(view, window.start)
        used = paths.busy(view.record, window) * self.model.pod.cores * measured
        pods = hpa.Pods(view.replicas, measured, view.replicas - measured)
        return (
            hpa.for_utilization(used, self.model.pod.cores, self.target, pods) if measured else None
        )


class HpaRate(_Controller):
    """`type: Pods`, a rate from Prometheus through prometheus-adapter, `averageValue`."""

    def proposal(self, view: View) -> int | None:
        """The mean rate of the pods that were ready at the newest scrape; the others have none."""
        window = paths.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None:
            return None
        measured = _ready_since(view, window.end)
        pods = hpa.Pods(view.replicas, measured, view.replicas - measured)
        return hpa.for_pods(paths.rate(view.record, window), self.rate, pods) if measured else None


class Keda(_Controller):
    """A `ScaledObject` with a Prometheus trigger: an External metric with `AverageValue`.

    Its own polling only decides between none and one replica; from one up it is this and no more.
    """

    def proposal(self, view: View) -> int | None:
        """The total over the threshold."""
        window = paths.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None:
            return None
        # KEDA answers in milli-units, rounded as a Quantity is
        total = math.ceil(paths.rate(view.record, window) * 1e3) / 1e3
        return hpa.for_average_value(total, self.rate, view.replicas)
