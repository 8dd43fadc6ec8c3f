"""What the operator tells of itself: counters and histograms as things happen, and spans.

Nothing is global: each operator has its own registry of metrics and its own tracer. What is told of
scalers is in `series.py`; the names and the words are in `signals.py`.
"""

from collections import Counter as Tallied
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
"""An export that takes longer has failed."""

disable_created_metrics()  # in this format they are one more gauge for each series, of no use


class Telemetry:
    """Counts what happens, and tells it. `spans` is where spans go, an OTLP/HTTP endpoint such as
    http://collector:4318; empty for nowhere.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float], spans: str = "") -> None:
        self._scalers = registry
        self._clock = clock
        self._metrics = CollectorRegistry()
        ProcessCollector(registry=self._metrics)
        GCCollector(registry=self._metrics)
        self._metrics.register(_Present(registry, clock))
        self._decisions = self._counter(signals.DECISIONS)
        self._requests = self._counter(signals.API_REQUESTS)
        self._reads = self._counter(signals.SOURCE_READS)
        self._lag = self._histogram(signals.TICK_LAG)
        self._deciding = self._histogram(signals.DECISION_DURATION)
        self._reading = self._histogram(signals.SOURCE_DURATION)
        for reason in Reason:
            self._decisions.labels(reason)  # from 0 on, so that a first one is seen as a rise
        self._provider = _provider(spans)
        self._tracer = self._provider.get_tracer(signals.SERVICE)

    def close(self) -> None:
        """Send the last spans. It may take seconds where nobody takes them: not on the loop."""
        self._provider.shutdown()

    # -- what happens

    def began(self, late: float) -> None:
        """A scaler's decision began so many seconds after its time."""
        self._lag.observe(late)

    def read(self, source: str, readings: Mapping[Any, Reading], seconds: float) -> None:
        """A source answered."""
        self._reading.labels(source).observe(seconds)
        for reading in readings.values():
            self._reads.labels(source, reading.freshness).inc()

    def decided(self, decision: Decision, seconds: float) -> None:
        """That took so long."""
        self._decisions.labels(decision.reason).inc()
        self._deciding.observe(seconds)

    def asked(self, verb: str, resource: str, code: str) -> None:
        """The API server was asked, and answered."""
        self._requests.labels(verb, resource, code).inc()

    def changed(self, scaler: Scaler, decision: Decision, before: int, began: float) -> None:
        """A target was given another number; `began` is the Unix time when its turn did."""
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
        span.end(round(self._clock() * 1e9))  # by the clock that it began by

    # -- what is told

    async def exposition(self) -> AsyncIterator[bytes]:
        """Everything, in the text format of Prometheus, piece by piece."""
        yield generate_latest(self._metrics)
        async for page in series.pages(self._scalers):
            yield page

    def _counter(self, signal: Signal) -> Counter:
        return Counter(signal.name, signal.help, signal.labels, registry=self._metrics)

    def _histogram(self, signal: Signal) -> Histogram:
        return Histogram(
            signal.name, signal.help, signal.labels, buckets=signal.buckets, registry=self._metrics
        )


class _Present(Collector):
    """What is so at the moment of a scrape."""

    def __init__(self, registry: Registry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._clock()
        deaf = _gauge(signals.WATCH_DEAF)
        for resource, watched in self._registry.watched.items():
            deaf.add_metric((resource,), watched.owes(now))
        yield deaf
        modes = Tallied(
            entry.wanted.scaler.policy.mode
            for entry in self._registry
            if entry.wanted.scaler is not None
        )
        scalers = _gauge(signals.SCALERS)
        for mode in Mode:
            scalers.add_metric((mode,), modes[mode])
        yield scalers


def _gauge(signal: Signal) -> GaugeMetricFamily:
    return GaugeMetricFamily(signal.name, signal.help, labels=signal.labels)


def _provider(endpoint: str) -> TracerProvider:
    """Without an endpoint, spans are made and forgotten: one a change is no price."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": signals.SERVICE}), shutdown_on_exit=False
    )
    if endpoint:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_S)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
