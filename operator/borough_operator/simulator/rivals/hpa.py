"""The HorizontalPodAutoscaler on CPU and on a rate, and KEDA, which from 1 to N replicas is an HPA.

All three are evaluated every 15 s and use the windows and policies of
`borough_operator.decision.hpa`; they differ in the formula and in the age of their metric.
"""

import math
from dataclasses import dataclass, field

from borough_operator.decision import hpa
from borough_operator.simulator import paths
from borough_operator.simulator.pods import Model
from borough_operator.simulator.timeline import View


@dataclass(slots=True)
class _Controller:
    """The common part: a proposal, then windows and limits."""

    model: Model
    target: int
    """Percent of a pod's CPU request, or of its rate when always busy."""
    down_window: float = hpa.DOWN_WINDOW
    rate_window: int = 60
    """Seconds of `rate()`, for the two that read Prometheus."""
    period: int = int(hpa.PERIOD)
    memory: hpa.Memory = field(default_factory=hpa.Memory)

    def scale(self, view: View) -> int:
        """The new size; the present one where the metric cannot be read yet."""
        desired = self.proposal(view)
        if desired is None:
            return view.replicas
        bounds = hpa.Bounds(1, view.maximum, self.down_window)
        size, self.memory = hpa.normalize(view.replicas, desired, self.memory, bounds, view.now)
        return size

    def proposal(self, view: View) -> int | None:
        """The size by the metric, before windows and limits; None where it cannot be read."""
        raise NotImplementedError  # each metric has its own

    @property
    def rate(self) -> float:
        """Target rate of one pod in requests per second."""
        return self.model.pod.capacity * self.target / 100


def _ready_since(view: View, start: int) -> int:
    """Pods that were ready all the time since then."""
    return min([view.ready, *(second.ready for second in view.record.seconds[start:])])


class HpaCpu(_Controller):
    """`type: Resource`, `cpu`, `averageUtilization`."""

    def proposal(self, view: View) -> int | None:
        """From the utilisation of the pods that were ready for a whole window; the others count as
        unready.
        """
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
        """From the mean rate of the pods that were ready at the newest scrape; the others have no
        metric.
        """
        window = paths.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None:
            return None
        measured = _ready_since(view, window.end)
        pods = hpa.Pods(view.replicas, measured, view.replicas - measured)
        return hpa.for_pods(paths.rate(view.record, window), self.rate, pods) if measured else None


class Keda(_Controller):
    """A `ScaledObject` with a Prometheus trigger: an External metric with `AverageValue`.

    KEDA itself only decides between 0 and 1 replicas; from 1 up the HPA scales.
    """

    def proposal(self, view: View) -> int | None:
        """The total rate by the threshold."""
        window = paths.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None:
            return None
        # KEDA returns milli-units, rounded up as a Quantity
        total = math.ceil(paths.rate(view.record, window) * 1e3) / 1e3
        return hpa.for_average_value(total, self.rate, view.replicas)
