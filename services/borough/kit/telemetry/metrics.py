"""Counters, gauges and histograms by signal, each part with a registry of its own."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from borough.kit import signals
from borough.kit.signals import Signal

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST
_KINDS: dict[str, Any] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram, "info": Info}


class Metrics:
    """Every signal of one part."""

    def __init__(self, build: Mapping[str, str]) -> None:
        self.registry = CollectorRegistry()
        self._metrics = {signal: self._metric(signal) for signal in signals.ALL}
        self._metrics[signals.BUILD_INFO].info(dict(build))

    def __getitem__(self, signal: Signal) -> Any:
        """The library's metric, for whoever observes it once a request."""
        return self._metrics[signal]

    def count(self, signal: Signal, **labels: str) -> None:
        """Add one to a counter."""
        metric = self._metrics[signal]
        (metric.labels(**labels) if labels else metric).inc()

    def watch(self, signal: Signal, read: Callable[[], float], **labels: str) -> None:
        """A gauge that is read when it is scraped, on the thread that scrapes."""
        metric = self._metrics[signal]
        (metric.labels(**labels) if labels else metric).set_function(read)

    def exposition(self) -> bytes:
        """Every series in the OpenMetrics text format."""
        return cast(bytes, generate_latest(self.registry))

    def _metric(self, signal: Signal) -> Any:
        more: dict[str, Any] = {}
        if signal.kind == "histogram":
            more["buckets"] = signals.SECONDS_BUCKETS
        labels = () if signal.kind == "info" else signal.labels
        return _KINDS[signal.kind](signal.name, signal.help, labels, registry=self.registry, **more)
