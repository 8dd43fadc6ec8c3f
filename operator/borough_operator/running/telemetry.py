"""The operator's own telemetry: counters and histograms, spans of changes, the series of each
scaler, and the log.

Nothing but the log is global: each operator has its own metrics registry and tracer. Names and help
texts are in `signals.py`. The series of scalers are written from the registry at each scrape;
nothing is stored, and a deleted scaler has no series any more. A scrape of ten thousand scalers has
a quarter of a million lines: they are made a few hundred scalers at a time, with other tasks in
between, so that a scrape delays no decision.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from borough_operator.decision.model import Decision, Mode, Policy, Proposal, Reading, Reason
from borough_operator.kube import targets
from borough_operator.kube.spec import Scaler
from borough_operator.running import signals
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.signals import Signal
from borough_operator.running.watched import Watched

BATCH = 250
"""Scalers whose lines of one metric are written at once, a millisecond or two."""
NOT_OURS = frozenset({Reason.MANUAL_HOLD, Reason.CONTESTED})
"""Reasons with which the number is left alone, whatever the goals demand."""
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
        self._decisions = self._counter(signals.DECISIONS)
        self._requests = self._counter(signals.API_REQUESTS)
        self._reads = self._counter(signals.SOURCE_READS)
        self._lag = self._histogram(signals.TICK_LAG)
        self._deciding = self._histogram(signals.DECISION_DURATION)
        self._reading = self._histogram(signals.SOURCE_DURATION)
        for reason in Reason:
            self._decisions.labels(reason)  # from 0, so that a rate shows the first one
        lag, scalers = self._gauge(signals.WATCH_LAG), self._gauge(signals.SCALERS)
        for resource, watched in registry.watched.items():
            lag.labels(resource).set_function(partial(_lag, watched, clock))
        for mode in Mode:
            scalers.labels(mode).set_function(partial(_number_in, mode, registry))
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
        yield generate_latest(self._metrics)
        async for page in pages(self._scalers):
            yield page

    def _counter(self, signal: Signal) -> Counter:
        return Counter(signal.name, signal.help, signal.labels, registry=self._metrics)

    def _gauge(self, signal: Signal) -> Gauge:
        return Gauge(signal.name, signal.help, signal.labels, registry=self._metrics)

    def _histogram(self, signal: Signal) -> Histogram:
        return Histogram(
            signal.name, signal.help, signal.labels, buckets=signal.buckets, registry=self._metrics
        )


def _lag(watched: Watched[Any], clock: Callable[[], float]) -> float:
    return watched.lag(clock())


def _number_in(mode: Mode, registry: Registry) -> int:
    scalers = (entry.record.scaler for entry in registry)
    return sum(scaler is not None and scaler.policy.mode is mode for scaler in scalers)


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


# -- the series of scalers


@dataclass(frozen=True, slots=True)
class Row:
    place: str
    """Its labels `namespace` and `scaler`, as text."""
    entry: Entry
    current: int | None = None
    ready: int | None = None

    @property
    def policy(self) -> Policy | None:
        scaler = self.entry.record.scaler
        return None if scaler is None else scaler.policy

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        return () if self.entry.decision is None else self.entry.decision.proposals


async def pages(registry: Registry) -> AsyncIterator[bytes]:
    """The series of all scalers, in Prometheus's text format. Labels are names of Kubernetes
    objects, goals or closed lists, which need no escaping.
    """
    rows = [_row(registry, entry) for entry in registry]
    for signal, samples in _SERIES.items():
        kind = "gauge" if signal.kind == "info" else signal.kind
        yield f"# HELP {signal.series} {signal.help}\n# TYPE {signal.series} {kind}\n".encode()
        own = "".join(f',{name}="%s"' for name in signal.labels[len(signals.SCALER) :])
        line = f"{signal.series}{{%s{own}}} %s\n"
        for first in range(0, len(rows), BATCH):
            yield "".join(
                line % (row.place, *sample)
                for row in rows[first : first + BATCH]
                for sample in samples(row)
                if sample[-1] is not None
            ).encode()
            await asyncio.sleep(0)


def _row(registry: Registry, entry: Entry) -> Row:
    (namespace, name), scaler = entry.record.name, entry.record.scaler
    place = f'namespace="{namespace}",scaler="{name}"'
    workload = None if scaler is None else registry.workload(scaler.target)
    if workload is None:
        return Row(place, entry)
    ready = targets.ready_of_newest(workload, registry.newest_replica_set(workload))
    return Row(place, entry, workload.replicas, ready)


Samples = Callable[[Row], Iterable[tuple[Any, ...]]]
"""Of each sample the values of the labels beside the scaler's, and its value; None: no sample."""


def _one(value: Callable[[Row], float | None]) -> Samples:
    return lambda row: ((value(row),),)


def _of_policy(value: Callable[[Policy], float]) -> Samples:
    return _one(lambda row: None if row.policy is None else value(row.policy))


def _of_decision(value: Callable[[Decision], float | None]) -> Samples:
    return _one(lambda row: None if row.entry.decision is None else value(row.entry.decision))


def _of_proposals(value: Callable[[Proposal], tuple[Any, ...]]) -> Samples:
    return lambda row: ((proposal.goal, *value(proposal)) for proposal in row.proposals)


def _info(row: Row) -> Iterable[tuple[Any, ...]]:
    if (scaler := row.entry.record.scaler) is not None:
        yield scaler.target.kind, scaler.target.name, scaler.policy.mode, 1


def _advised(row: Row) -> int | None:
    """What the decision would be if the number were not left alone."""
    decision, policy = row.entry.decision, row.policy
    if decision is None or policy is None:
        return None
    if decision.reason not in NOT_OURS or decision.raw is None:
        return decision.final
    return min(max(decision.raw, policy.min_replicas), policy.max_replicas)


def _costs(row: Row, suffix: str = "") -> Iterable[tuple[Any, ...]]:
    for policy, name in (("scaler", "ours"), ("hpa", "hpa"), ("max", "most")):
        yield policy, getattr(row.entry.tally, name + suffix)


_SERIES: Mapping[Signal, Samples] = {
    signals.SCALER_INFO: _info,
    signals.CURRENT: _one(lambda row: row.current),
    signals.READY: _one(lambda row: row.ready),
    signals.DESIRED: _of_decision(lambda decision: decision.final),
    signals.ADVISED: _one(_advised),
    signals.MINIMUM: _of_policy(lambda policy: policy.min_replicas),
    signals.MAXIMUM: _of_policy(lambda policy: policy.max_replicas),
    signals.HPA: _of_decision(lambda decision: decision.hpa),
    signals.REASON: lambda row: ((d.reason, 1) for d in (row.entry.decision,) if d is not None),
    signals.CONDITION: lambda row: ((kind, int(is_)) for kind, is_ in row.entry.conditions.items()),
    signals.GOAL_REPLICAS: _of_proposals(lambda proposal: (proposal.replicas,)),
    signals.GOAL_VALUE: _of_proposals(lambda proposal: (proposal.value,)),
    signals.GOAL_FRESHNESS: _of_proposals(lambda proposal: (proposal.freshness, 1)),
    signals.METRIC_AGE: _of_proposals(lambda proposal: (proposal.age,)),
    signals.REPLICA_SECONDS: _costs,
    signals.CORE_SECONDS: lambda row: _costs(row, "_cores"),
    signals.CHANGES: lambda row: (("up", row.entry.tally.ups), ("down", row.entry.tally.downs)),
    signals.REVERSALS: _one(lambda row: row.entry.tally.reversals),
}


def configure_log(level: str) -> None:
    """Set up the log of this process with this minimum level.

    Raises ValueError for an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"the log level {level!r} is none of debug, info, warning, error")
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    if number > logging.DEBUG:  # at info Kopf logs two lines for each event of an object
        logging.getLogger("kopf").setLevel(max(number, logging.WARNING))
