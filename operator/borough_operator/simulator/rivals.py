"""Other autoscalers, from their documented formulas and with their documented defaults, and two
bounds that need knowledge of the whole load: a fixed size, and an oracle.

Each is swept over its settings, and reads metrics by the same paths as this operator. A rival that
would do better in a real cluster than here is a defect: report it with its formula. The
HorizontalPodAutoscaler (HPA) on CPU and on a rate, and KEDA, which from 1 to N replicas is an HPA,
are evaluated every 15 s and use the windows and policies of `borough_operator.decision.hpa`; they
differ in the formula and in the age of their metric.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from borough_operator.decision import hpa
from borough_operator.simulator import timeline
from borough_operator.simulator.station import Model, Station
from borough_operator.simulator.timeline import WARM_UP, View, warm_up_rate

STABLE, PANIC = 60, 6
"""Seconds of KPA's `stable-window`, and of its panic window, the `panic-window-percentage` of
10."""
PANIC_THRESHOLD = 2.0
"""`panic-threshold-percentage` of 200, as a share of the ready pods."""
MAX_UP, MAX_DOWN = 1000.0, 2.0
"""`max-scale-up-rate` and `max-scale-down-rate`."""


@dataclass(slots=True)
class Planned:
    plan: Sequence[int]
    before: int
    period: int = 1

    def scale(self, view: View) -> int:
        """The planned size of this second."""
        return self.before if view.now < WARM_UP else self.plan[view.now - WARM_UP]


def static(load: Sequence[float], station: Station) -> Planned:
    """As many pods as the peak needs, all the time: a cautious size without an autoscaler."""
    most = station.pods_needed(max(load))
    return Planned([most] * len(load), most)


def oracle(load: Sequence[float], station: Station, model: Model) -> Planned:
    """The fewest replicas without a violation, with knowledge of the future.

    A pod that is needed at t must be requested at t - start_s and is paid for since. So at each
    second there are as many pods as the largest need within the start-up time ahead. Without a
    violation anywhere, fewer is impossible.
    """
    ahead = int(-(-model.pod.start_s // 1))
    needs = [station.pods_needed(rate) for rate in load]
    plan = [max(needs[second : second + ahead + 1]) for second in range(len(needs))]
    return Planned(plan, max(plan[0], station.pods_needed(warm_up_rate(load))))


@dataclass(slots=True)
class _Controller:
    """The common part of HPA and KEDA: a proposal, then windows and limits."""

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
        return self.model.pod.capacity * self.target / 100


def _pods(view: View, since: int) -> hpa.Pods:
    """The pods, measured where ready all the time since then."""
    measured = min([view.ready, *(second.ready for second in view.record.seconds[since:])])
    return hpa.Pods(view.replicas, measured, view.replicas - measured)


class HpaCpu(_Controller):
    """`type: Resource`, `cpu`, `averageUtilization`."""

    def proposal(self, view: View) -> int | None:
        """From the utilisation of the pods that were ready for a whole window; the others count as
        unready.
        """
        window = timeline.cpu(self.model.cpu, view.now)
        if window is None or not (pods := _pods(view, window.start)).measured:
            return None
        cores = self.model.pod.cores
        used = window.mean(view.record.busy) * cores * pods.measured
        return hpa.for_utilization(used, cores, self.target, pods)


class HpaRate(_Controller):
    """`type: Pods`, a rate from Prometheus through prometheus-adapter, `averageValue`."""

    def proposal(self, view: View) -> int | None:
        """From the mean rate of the pods that were ready at the newest scrape; the others have no
        metric.
        """
        window = timeline.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None or not (pods := _pods(view, window.end)).measured:
            return None
        return hpa.for_pods(window.mean(view.record.served), self.rate, pods)


class Keda(_Controller):
    """A `ScaledObject` with a Prometheus trigger: an External metric with `AverageValue`.

    KEDA itself only decides between 0 and 1 replicas; from 1 up the HPA scales.
    """

    def proposal(self, view: View) -> int | None:
        """The total rate by the threshold."""
        window = timeline.prometheus(self.model.prometheus, view.now, self.rate_window)
        if window is None:
            return None
        # KEDA returns milli-units, rounded up as a Quantity
        total = math.ceil(window.mean(view.record.served) * 1e3) / 1e3
        return hpa.for_average_value(total, self.rate, view.replicas)


@dataclass(slots=True)
class Kpa:
    """Knative's Pod Autoscaler of one revision, from `pkg/autoscaler/scaling/autoscaler.go`.

    Every 2 s it compares the mean concurrency of a stable window and of a panic window with its
    target. When the panic window demands twice the ready pods it enters panic mode: for a stable
    window it uses the larger result and removes nothing. Scale to zero, the activator and its
    buffer are left out; a revision keeps one pod.
    """

    model: Model
    target: int
    """Percent of a pod's concurrency: `container-concurrency-target-percentage`, 70 by default."""
    period: int = 2
    panicking_since: float | None = None
    """When panic mode was last entered or extended."""
    most: int = 0
    """The most pods requested in this panic."""

    def scale(self, view: View) -> int:
        """The size from the two windows, as its metric collector averages them."""
        stable = timeline.direct(self.model.direct, view.now, STABLE)
        panic = timeline.direct(self.model.direct, view.now, PANIC)
        if stable is None or panic is None:
            return view.replicas
        sums = view.record.in_flight
        desired = self.decide(stable.mean(sums), panic.mean(sums), view.ready, view.now)
        return min(max(desired, 1), view.maximum)

    def decide(self, stable: float, panic: float, ready: int, now: float) -> int:
        """`Scale()`: pods for mean concurrencies of `stable` and `panic` over the two windows."""
        pods = max(1, ready)
        target = self.model.pod.concurrency * self.target / 100
        wanted, panicked = math.ceil(stable / target), math.ceil(panic / target)
        highest, lowest = math.ceil(MAX_UP * pods), math.floor(pods / MAX_DOWN)
        desired = min(max(wanted, lowest), highest)
        if panicked / pods >= PANIC_THRESHOLD:
            self.panicking_since = now
        elif self.panicking_since is not None and self.panicking_since + STABLE < now:
            self.panicking_since, self.most = None, 0
        if self.panicking_since is None:
            return desired
        self.most = max(self.most, desired, min(max(panicked, lowest), highest))
        return self.most
