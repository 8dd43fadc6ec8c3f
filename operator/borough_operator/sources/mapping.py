"""Which series belong to which target, and what is asked of them: one mapping for all scalers.

It is set once for the whole operator. Its defaults are the names of the shop's signals and the
labels its Prometheus adds; where a target's series have other names, a Query goal says them itself.
A target is found by its namespace and its name, not by its kind, which series rarely bear.
"""

import re
from dataclasses import dataclass

from borough_operator.decision.model import Measure, Need

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

_KNOWN = "2m"
"""How long ago a pod must have answered a scrape for its silence to be noticed."""


@dataclass(frozen=True, slots=True)
class SeriesMapping:
    """Names of labels and metrics. Raises ValueError for what is none."""

    namespaces: tuple[str, ...]
    """Where the targets are: a Prometheus of many teams is asked about these only."""
    namespace_label: str = "namespace"
    workload_label: str = "workload"
    """The name of the Deployment or StatefulSet."""
    rate_metric: str = "http_server_request_duration_seconds_count"
    """A counter of requests answered."""
    in_flight_metric: str = "http_server_active_requests"
    """A gauge of requests being answered."""
    duration_metric: str = "http_server_request_duration_seconds"
    """A classic histogram of what requests take, in seconds."""
    window: float = 15.0
    """Seconds that a value of Prometheus is taken over: three scrapes, so that one may fail. A
    sample older than that is stale."""

    def __post_init__(self) -> None:
        if not self.namespaces:
            raise ValueError("there is no namespace to look for targets in")
        for namespace in self.namespaces:
            _check(_NAMESPACE, namespace, "namespace")
        for label in (self.namespace_label, self.workload_label):
            _check(_LABEL, label, "label")
        for metric in (self.rate_metric, self.in_flight_metric, self.duration_metric):
            _check(_METRIC, metric, "metric")
        if not 1 <= self.window <= 300:  # noqa: PLR2004  # what an instant query looks back
            raise ValueError(f"a window has 1 to 300 seconds, not {self.window:g}")

    def metric(self, measure: Measure) -> str:
        """The metric that tells a measure, as a reader of /metrics sees it."""
        match measure:
            case Measure.RATE:
                return self.rate_metric
            case Measure.IN_FLIGHT:
                return self.in_flight_metric
            case Measure.DURATION | Measure.QUANTILE:
                return self.duration_metric
            case Measure.QUERY:
                raise ValueError("a query names its metrics itself")

    def value(self, need: Need) -> str:
        """PromQL for one value of each target, by its two labels.

        In-flight is the average of each pod's scrapes within the window, of pods that still
        answer: the average of one that is gone would be counted beside those that took over its
        requests. A rate has no such ghosts: what a pod answered before it went was answered.
        """
        by, within = self._by(), self._within()
        match need.measure:
            case Measure.RATE:
                return f"sum by ({by}) (rate({self._series(self.rate_metric)}[{within}]))"
            case Measure.IN_FLIGHT:
                gauge = self._series(self.in_flight_metric)
                return f"sum by ({by}) (avg_over_time({gauge}[{within}]) and {gauge})"
            case Measure.DURATION:
                seconds, requests = (
                    f"sum by ({by}) (rate({self._series(self.duration_metric + part)}[{within}]))"
                    for part in ("_sum", "_count")
                )
                return f"{seconds} / ({requests} > 0)"
            case Measure.QUANTILE:
                buckets = f"rate({self._series(self.duration_metric + '_bucket')}[{within}])"
                return f"histogram_quantile({need.argument}, sum by ({by}, le) ({buckets}))"
            case Measure.QUERY:
                return need.argument

    def age(self, measure: Measure) -> str:
        """PromQL for the seconds since the newest sample behind a measure, of each target, by
        Prometheus's own clock. A target whose pods all fell silent has none.
        """
        metric = self.metric(measure)
        if metric == self.duration_metric:
            metric += "_count"
        return f"time() - max by ({self._by()}) (timestamp({self._series(metric)}))"

    def silent(self) -> str:
        """PromQL for how many pods of each target fell silent: still scraped, answering not once
        within the window, although they did not long ago. Their share of the load is missing from
        every sum, and a sum that falls for that reason must remove nothing.
        """
        up = self._series("up")
        return (
            f"count by ({self._by()}) ({up} == 0 and max_over_time({up}[{self._within()}]) == 0"
            f" and max_over_time({up}[{_KNOWN}]) == 1)"
        )

    def _series(self, metric: str) -> str:
        return f'{metric}{{{self.namespace_label}=~"{"|".join(self.namespaces)}"}}'

    def _by(self) -> str:
        return f"{self.namespace_label}, {self.workload_label}"

    def _within(self) -> str:
        return f"{round(self.window * 1000)}ms"


def _check(rule: re.Pattern[str], name: str, what: str) -> None:
    if rule.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a {what}")
