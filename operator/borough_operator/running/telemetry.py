"""The operator's own telemetry: counters and histograms, and spans of changes.

Nothing is global: each operator has its own metrics registry and tracer. The series of scalers are
in `series.py`, names and help texts in `signals.py`.
"""

from collections import Counter as Counts
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from borough_operator.decision.model import Decision, Mode, Reading, Reason
from borough_operator.kube.spec import Scaler
from borough_operator.running import series, signals
from borough_operator.running.registry import Registry
from borough_operator.running.signals import Signal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EXPORT_S = 5.0
"""Timeout of an export of spans."""

disable_created_metrics()  # they would double the number of series


class Telemetry:
    """Records what happens and exposes it. `spans` is an OTLP/HTTP endpoint such as
    http://collector:4318; none if empty.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float], spans: str = "") -> None:
        self._scalers = registry
        self._clock = clock
        self._metrics = CollectorRegistry()
        ProcessCollector(registry=self._metrics)
        GCCollector(registry=self._metrics)
        self._metrics.register(_StateCollector(registry, clock))
        self._decisions = self._counter(signals.DECISIONS)
        self._requests = self._counter(signals.API_REQUESTS)
        self._reads = self._counter(signals.SOURCE_READS)
        self._lag = self._histogram(signals.TICK_LAG)
        self._deciding = self._histogram(signals.DECISION_DURATION)
        self._reading = self._histogram(signals.SOURCE_DURATION)
        for reason in Reason:
            self._decisions.labels(reason)  # from 0, so that a rate shows the first one
        self._provider = _provider(spans)
        self._tracer = self._provider.get_tracer(signals.SERVICE)

    def close(self) -> None:
        """Send the last spans. It blocks for seconds where the endpoint does not respond."""
        self._provider.shutdown()

    # -- recording

    def decision_started(self, late: float) -> None:
        """An evaluation started `late` seconds after its due time."""
        self._lag.observe(late)

    def source_read(self, source: str, readings: Mapping[Any, Reading], seconds: float) -> None:
        """A read of a source took so many seconds."""
        self._reading.labels(source).observe(seconds)
        for reading in readings.values():
            self._reads.labels(source, reading.freshness).inc()

    def decision_made(self, decision: Decision, seconds: float) -> None:
        """A decision took so many seconds."""
        self._decisions.labels(decision.reason).inc()
        self._deciding.observe(seconds)

    def api_request(self, verb: str, resource: str, code: str) -> None:
        """The API server responded to a request with this code, or failed with "error"."""
        self._requests.labels(verb, resource, code).inc()

    def scaled(self, scaler: Scaler, decision: Decision, before: int, began: float) -> None:
        """A target's number was changed; `began` is the Unix time when the write started."""
        span = self._tracer.start_span(
            signals.span_name(scaler.namespace, scaler.name),
            start_time=round(began * 1e9),
            attributes={
                signals.SPAN_SCALER: f"{scaler.namespace}/{scaler.name}",
                signals.SPAN_TARGET: f"{scaler.target.kind}/{scaler.target.name}",
                signals.SPAN_REASON: decision.reason,
                signals.SPAN_BEFORE: before,
                signals.SPAN_AFTER: decision.replicas,
                signals.SPAN_GOAL: decision.binding,
            },
        )
        span.end(round(self._clock() * 1e9))  # by the clock of `began`

    # -- exposition

    async def exposition(self) -> AsyncIterator[bytes]:
        """All metrics in Prometheus's text format, in pieces."""
        yield generate_latest(self._metrics)
        async for page in series.pages(self._scalers):
            yield page

    def _counter(self, signal: Signal) -> Counter:
        return Counter(signal.name, signal.help, signal.labels, registry=self._metrics)

    def _histogram(self, signal: Signal) -> Histogram:
        return Histogram(
            signal.name, signal.help, signal.labels, buckets=signal.buckets, registry=self._metrics
        )


class _StateCollector(Collector):
    """The gauges that are computed at each scrape."""

    def __init__(self, registry: Registry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._clock()
        lags = _gauge(signals.WATCH_LAG)
        for resource, watched in self._registry.watched.items():
            lags.add_metric((resource,), watched.lag(now))
        yield lags
        modes = Counts(
            entry.record.scaler.policy.mode
            for entry in self._registry
            if entry.record.scaler is not None
        )
        scalers = _gauge(signals.SCALERS)
        for mode in Mode:
            scalers.add_metric((mode,), modes[mode])
        yield scalers


def _gauge(signal: Signal) -> GaugeMetricFamily:
    return GaugeMetricFamily(signal.name, signal.help, labels=signal.labels)


def _provider(endpoint: str) -> TracerProvider:
    """A provider that exports to the endpoint; without one spans are created and dropped, one a
    change.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": signals.SERVICE}), shutdown_on_exit=False
    )
    if endpoint:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_S)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
