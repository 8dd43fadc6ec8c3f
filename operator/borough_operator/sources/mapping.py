"""The mapping from needs to series: names of labels and metrics, and the PromQL built of them.

It is set once for the operator. The defaults are the names of the shop's metrics and the labels
that its Prometheus adds; a target whose series have other names uses a Query goal. Series are
matched by the target's namespace and name; its kind is rarely a label.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from borough_operator.decision.model import Measure, Need

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

_WAS_UP_WITHIN = "2m"
"""A pod that responded to a scrape within this range and does not any more counts as silent."""


def setting(default: Any, about: str, **more: Any) -> Any:
    """A field with this default that is also an option of `run`, with this help."""
    return field(default=default, metadata={"help": about, **more})


@dataclass(frozen=True, slots=True)
class SeriesMapping:
    """Names of labels and metrics. Raises ValueError for an invalid one."""

    namespaces: tuple[str, ...]
    """The namespaces of the targets, which every query is restricted to."""
    namespace_label: str = setting("namespace", "Label with the target's namespace.")
    workload_label: str = setting("workload", "Label with the target's name.")
    rate_metric: str = setting(
        "http_server_request_duration_seconds_count", "Counter of completed requests."
    )
    in_flight_metric: str = setting("http_server_active_requests", "Gauge of requests in flight.")
    duration_metric: str = setting(
        "http_server_request_duration_seconds", "Histogram of request durations in seconds."
    )
    """A classic histogram."""
    window: float = setting(15.0, "Seconds of a query's range: three scrape intervals.")
    """One scrape may fail. An older sample is stale."""

    def __post_init__(self) -> None:
        if not self.namespaces:
            raise ValueError("no namespace is given")
        labels = (self.namespace_label, self.workload_label)
        metrics = (self.rate_metric, self.in_flight_metric, self.duration_metric)
        for rule, what, names in (
            (_NAMESPACE, "namespace", self.namespaces),
            (_LABEL, "label", labels),
            (_METRIC, "metric", metrics),
        ):
            if invalid := [name for name in names if rule.fullmatch(name) is None]:
                raise ValueError(f"{invalid[0]!r} is not a valid {what} name")
        if not 1 <= self.window <= 300:  # noqa: PLR2004  # the lookback of an instant query
            raise ValueError(f"the window must be 1 to 300 seconds, not {self.window:g}")

    def metric(self, measure: Measure) -> str:
        """The metric of a measure as it is named in /metrics. Raises ValueError for a query."""
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
        """PromQL for the value of each target, by its two labels.

        In-flight is the average of each pod's scrapes within the window, of pods that are still
        scraped: a removed pod's average would be counted beside the pods that took over its
        requests. A rate keeps the removed pods: their requests were completed within the window.
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
        """PromQL for the seconds since the newest sample of a measure, by target and Prometheus's
        clock. A target whose pods are all silent has none.
        """
        metric = self.metric(measure)
        if metric == self.duration_metric:
            metric += "_count"
        return f"time() - max by ({self._by()}) (timestamp({self._series(metric)}))"

    def silent(self) -> str:
        """PromQL for the number of silent pods of each target: scraped without success within the
        window, and successfully within `_WAS_UP_WITHIN`. Their share is missing in every sum, so a
        lower sum must not remove a replica.
        """
        up = self._series("up")
        return (
            f"count by ({self._by()}) ({up} == 0 and max_over_time({up}[{self._within()}]) == 0"
            f" and max_over_time({up}[{_WAS_UP_WITHIN}]) == 1)"
        )

    def _series(self, metric: str) -> str:
        return f'{metric}{{{self.namespace_label}=~"{"|".join(self.namespaces)}"}}'

    def _by(self) -> str:
        return f"{self.namespace_label}, {self.workload_label}"

    def _within(self) -> str:
        return f"{round(self.window * 1000)}ms"
