"""Knative's Pod Autoscaler on concurrency, from `pkg/autoscaler/scaling/autoscaler.go`.

Every 2 s it compares the mean concurrency of a stable window (60 s) and of a panic window (6 s)
with its target. When the panic window demands twice the ready pods it enters panic mode: for a
stable window it uses the larger result and removes nothing. Scale to zero, the activator and its
buffer are left out; a revision keeps one pod.
"""

import math
from dataclasses import dataclass

from borough_operator.simulator import paths
from borough_operator.simulator.pods import Model
from borough_operator.simulator.timeline import View

STABLE, PANIC = 60, 6
"""Seconds of `stable-window`, and of the panic window, its `panic-window-percentage` of 10."""
PANIC_THRESHOLD = 2.0
"""`panic-threshold-percentage` of 200, as a share of the ready pods."""
MAX_UP, MAX_DOWN = 1000.0, 2.0
"""`max-scale-up-rate` and `max-scale-down-rate`."""


@dataclass(slots=True)
class Kpa:
    """The autoscaler of one revision."""

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
        stable = paths.direct(self.model.direct, view.now, STABLE)
        panic = paths.direct(self.model.direct, view.now, PANIC)
        if stable is None or panic is None:
            return view.replicas
        record = view.record
        desired = self.decide(
            paths.in_flight(record, stable), paths.in_flight(record, panic), view.ready, view.now
        )
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
