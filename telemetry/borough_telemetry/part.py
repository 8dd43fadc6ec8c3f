"""The telemetry of one part: one span and one observation a request, and counters by name."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from uuid import uuid4

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from borough_telemetry.client import ClientCall, Endpoint, Traffic, WatchedCall
from borough_telemetry.export import Batching, Exporting, Otlp, Sdk
from borough_telemetry.exposition import END, Format
from borough_telemetry.logs import logger
from borough_telemetry.metrics import Metrics
from borough_telemetry.registry import Registry, pieces, watch_process, without
from borough_telemetry.routes import Templates
from borough_telemetry.server import Middleware
from borough_telemetry.signals import (
    ACTIVE_REQUESTS,
    CAPABILITY,
    METHOD,
    OWN,
    SPANS_DROPPED,
    SPANS_EXPORTED,
    Signal,
    names,
)
from borough_telemetry.spans import Blueprint, Cause, Span, cause_of, current

Export = SpanExporter | Otlp
"""Whatever receives finished spans: a collector, or any exporter of the OpenTelemetry SDK."""


class Telemetry:
    """The signals of one part. `export` receives its finished spans; without it nothing is
    recorded, and callers' flags are passed on.

    `ratio` is the share of the traces begun here that are recorded; it may change at any time.
    `access_log` is the share of requests answered below 500 that leave a line in the log.
    `signals` are those of the part, beside those of this package: exposed from the start.
    `registry` holds metrics of others: where none is given, a new one. Raises ValueError where it
    has the name of a signal.
    """

    def __init__(  # noqa: PLR0913  # one for each thing that is told
        self,
        part: str,
        *,
        build: dict[str, str] | None = None,
        ratio: float = 1.0,
        export: Export | None = None,
        log_level: str = "info",
        access_log: float = 0.0,
        registry: CollectorRegistry | None = None,
        signals: Iterable[Signal] = (),
    ) -> None:
        info = {"version": "", "part": part, "shape": "", "capabilities": ""} | (build or {})
        self.ratio = ratio
        self.access_log = access_log
        self.active = 0
        """Requests being handled."""
        known = tuple(signals)
        self.metrics = Metrics(info, known)
        self._names = names((*OWN, *known))
        self.registry = (
            Registry(self._names) if registry is None else without(registry, self._names)
        )
        self.log = logger(part, log_level)
        self._exporting = self._start(export, part, info["version"])
        self.records = export is not None
        """Whether spans are exported; a trace id that finds nothing is worse than none."""
        self._traffic: dict[Endpoint, Traffic] = {}
        self._blueprints: dict[tuple[str, str, str], Blueprint] = {}
        self.watch(ACTIVE_REQUESTS, lambda: self.active)

    def _start(self, export: Export | None, part: str, version: str) -> Exporting | None:
        if export is None:
            return None
        exported = self.metrics[SPANS_EXPORTED]
        dropped = self.metrics[SPANS_DROPPED]
        return Exporting(
            export if isinstance(export, Otlp) else Sdk(export),
            _resource(part, version),
            exported=exported.inc,
            dropped=lambda count, reason: dropped.labels(reason).inc(count),
            log=self.log,
        )

    # -- metrics

    def count(self, signal: Signal, by: int = 1, /, **labels: str) -> None:
        """Add to a counter."""
        self.metrics.count(signal, by, **labels)

    def watch(self, signal: Signal, read: Callable[[], float], **labels: str) -> None:
        """A counter or gauge that is read when it is scraped, on the thread that scrapes."""
        self.metrics.watch(signal, read, **labels)

    def watch_process(self) -> None:
        """Tell of the process as well, as all Prometheus clients do. It may hold other parts: only
        whoever started it knows which of them should.
        """
        watch_process(self.registry)

    def pieces(self, form: Format) -> Iterator[bytes]:
        """Our signals and what the registry holds, in pieces that are written one at a time."""
        yield from self.metrics.pieces(form, self.log)
        yield from pieces(self.registry, self._names, form, self.log)
        if form is Format.OPENMETRICS:
            yield END

    def exposition(self) -> bytes:
        """All of it in the OpenMetrics text format."""
        return b"".join(self.pieces(Format.OPENMETRICS))

    # -- traces

    def traceparent(self) -> str | None:
        """The current span as a W3C traceparent; None when there is none."""
        span = current.get()
        return None if span is None else span.traceparent

    def sampled(self) -> bool:
        """Whether the request being handled is traced."""
        span = current.get()
        return span is not None and span.sampled

    def local_call(self, endpoint: Endpoint) -> AbstractContextManager[None]:
        """The internal span of a call to a capability in this process."""
        return _Step(self, self.begin(), self._internal(endpoint.capability, endpoint.method, ""))

    def background(
        self, name: str, capability: str, causes: Iterable[str | None]
    ) -> AbstractContextManager[None]:
        """A trace of its own for work that no request waits for, linked to each of the traceparents
        in `causes`.
        """
        span = self.root(*filter(None, map(cause_of, causes)))
        return _Step(self, span, self._internal(capability, "", name))

    def client_call(self, endpoint: Endpoint) -> AbstractContextManager[ClientCall]:
        """The client span and the observation of one try of a call to a peer."""
        traffic = self._traffic.get(endpoint)
        if traffic is None:
            traffic = self._traffic[endpoint] = Traffic(endpoint, self.metrics)
        return WatchedCall(self, traffic)

    def middleware(self, app: ASGIApp, *, capability: str, trusted: bool) -> ASGIApp:
        """Wrap an app: one server span and one observation a request. `capability` is whose work a
        request is where its route does not say. Callers who are not `trusted` neither decide
        whether a request is traced nor in which trace: theirs is linked.
        """
        return Middleware(app, self, capability, trusted=trusted, templates=Templates(app))

    def begin(self) -> Span:
        """A step of what is under way; the first of a trace where nothing is."""
        above = current.get()
        return self.root() if above is None else above.child()

    def root(self, *links: Cause) -> Span:
        """The first span of a trace."""
        return Span.root(self.ratio if self.records else 0.0, *links)

    def keep(self, span: Span) -> None:
        """Export a finished span, some time."""
        if self._exporting is not None:
            self._exporting.put(span)

    def flush(self) -> None:
        """Export what is finished. Blocks: never call it on the event loop."""
        if self._exporting is not None:
            self._exporting.flush()

    def close(self) -> None:
        """Export what is left. Blocks: never call it on the event loop."""
        if self._exporting is not None:
            self._exporting.close()

    def _internal(self, capability: str, method: str, name: str) -> Blueprint:
        known = self._blueprints.get((capability, method, name))
        if known is None:
            attributes = {CAPABILITY: capability}
            if method:
                attributes[METHOD] = method
            known = Blueprint(name or f"{capability}.{method}", "internal", attributes)
            self._blueprints[capability, method, name] = known
        return known


def _resource(part: str, version: str) -> Resource:
    """Whose spans they are. Newer versions of the SDK name the instance by themselves, and so may
    the environment: both go before our own name for it.
    """
    instance = Resource({"service.instance.id": str(uuid4())})
    return instance.merge(Resource.create({"service.name": part, "service.version": version}))


class _Step:
    """A span around work in this process."""

    __slots__ = ("_blueprint", "_span", "_telemetry", "_token")

    _token: Token[Span | None]

    def __init__(self, telemetry: Telemetry, span: Span, blueprint: Blueprint) -> None:
        self._telemetry = telemetry
        self._span = span
        self._blueprint = blueprint

    def __enter__(self) -> None:
        self._token = current.set(self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        current.reset(self._token)
        if not self._span.sampled:
            return
        if kind is None:
            self._span.finish(self._blueprint)
        else:
            self._span.finish(self._blueprint.failing(kind.__name__), message=str(error))
        self._telemetry.keep(self._span)


def otlp(endpoint: str, batching: Batching = Batching()) -> Export:
    """Sends spans to a collector by OTLP/HTTP; `endpoint` is http://HOST:PORT."""
    return Otlp(endpoint, batching)
