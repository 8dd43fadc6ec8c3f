"""This operator in the simulation: the same `decide`, with the readings that its sources would
return.

Its goals are those of a user who measured one pod, and the same for every trace.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from borough_operator.decision.decide import decide
from borough_operator.decision.goals import needs
from borough_operator.decision.model import (
    Behavior,
    Decision,
    Freshness,
    Goal,
    GoalType,
    History,
    Measure,
    Need,
    Observation,
    Policy,
    Reading,
)
from borough_operator.simulator import timeline
from borough_operator.simulator.station import Model, Station
from borough_operator.simulator.timeline import Record, View, Window
from borough_operator.sources.pods import quantile


class Source(StrEnum):
    """The source of readings, as in a ServiceScaler."""

    PODS = "Pods"
    PROMETHEUS = "Prometheus"


PERIOD = int(Behavior().interval)
"""Seconds between two evaluations, the default of a ServiceScaler."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of the latency histogram in seconds, as OpenTelemetry recommends for HTTP
servers."""


@dataclass(slots=True)
class Ours:
    model: Model
    station: Station
    source: Source
    period: int = PERIOD
    history: History = field(default_factory=History)
    decision: Decision | None = None
    """The last decision."""

    def scale(self, view: View) -> int:
        """One evaluation. Its goals are the capacity of one pod, and the promised latency."""
        promised = self.model.objective
        goals = (
            Goal("RequestRate", GoalType.RATE, per_replica=self.model.pod.capacity),
            Goal("Latency", GoalType.LATENCY, 0.0, f"{promised.quantile}", promised.latency_s),
        )
        policy = Policy(goals, min_replicas=1, max_replicas=view.maximum)
        readings = {need: self._reading(need, view) for need in needs(policy)}
        observation = Observation(view.replicas, view.ready, readings, cores=self.model.pod.cores)
        self.decision = decide(policy, observation, self.history, float(view.now))
        self.history = self.decision.history
        return self.decision.replicas if self.decision.write else view.replicas

    def _reading(self, need: Need, view: View) -> Reading:
        window = self._window(view.now)
        if window is None:
            return Reading(Freshness.EMPTY)
        value = self._value(need, view.record, window)
        if math.isnan(value):
            return Reading(Freshness.EMPTY, detail="no request completed")
        return Reading(Freshness.FRESH, value, age=float(view.now - window.end))

    def _window(self, now: int) -> Window | None:
        if self.source is Source.PODS:
            return timeline.direct(self.model.direct, now, self.period)
        return timeline.prometheus(self.model.prometheus, now, self.model.prometheus.window_s)

    def _value(self, need: Need, record: Record, window: Window) -> float:
        match need.measure:
            case Measure.RATE:
                return window.mean(record.served)
            case Measure.IN_FLIGHT:
                direct = self.source is Source.PODS
                every = self.period if direct else self.model.prometheus.scrape_s
                return timeline.gauge(record, window, every)
            case Measure.DURATION:  # by Little's law
                completed = window.mean(record.served)
                return window.mean(record.in_flight) / completed if completed else math.nan
            case Measure.QUANTILE:
                return self._quantile(float(need.argument), record, window)
            case Measure.QUERY:
                raise NotImplementedError("the simulation has no PromQL")

    def _quantile(self, share: float, record: Record, window: Window) -> float:
        """`histogram_quantile` over the window's buckets; NaN where no request completed."""
        completed = record.served[window.end] - record.served[window.start]
        counts = dict.fromkeys(BUCKETS, completed) | {math.inf: completed}
        for second in record.seconds[window.start : window.end]:
            shares = self.station.shares_above(BUCKETS, second)
            for bound, above in zip(BUCKETS, shares, strict=True):
                counts[bound] -= second.served * above
        found = quantile(share, counts)
        return math.nan if found is None else found
