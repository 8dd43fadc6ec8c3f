"""The telemetry of one part: its signals, and spans, durations and log lines of the requests that
it serves and of the calls that it makes.

A request ends with the last byte of the response: background work is not counted, since no client
waits for it. Responses to trusted callers have `Server-Timing`, so that the caller can separate the
hop from the work. Other callers get none: exact times would help to guess secrets.
"""

import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from contextvars import Token
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from http import HTTPMethod
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

import structlog
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borough_telemetry import signals as own
from borough_telemetry.export import OtlpExporter, SpanQueue
from borough_telemetry.metrics import END, Format, Histogram, Metrics, Registry, pieces, without
from borough_telemetry.routes import Templates
from borough_telemetry.signals import Signal, names
from borough_telemetry.spans import Blueprint, Cause, Span, cause_of, current

METHODS = frozenset(HTTPMethod)
OTHER = "_OTHER"
"""Any other method, by the semantic conventions."""
HANDLER = "borough.handler_s"
"""The key under which a route stores the seconds of its handler in the scope."""
_DEFECTS, _ERRORS = 500, 400
_MS = rb"(\d{1,9}(?:\.\d{1,9})?)(?![\d.])"
_SERVER_TIMING = re.compile(rb"(?:^|,\s*)(?:handler;dur=" + _MS + rb", )?server;dur=" + _MS)


class Telemetry:
    """The signals of one part; `build` has further labels of `borough_build_info`.

    Finished spans are sent to `export`; without it none is recorded, and callers' flags are passed
    on. `ratio` is the share of the traces begun here that are recorded; it may change at any time.
    `access_log` is the share of the requests with a status below 500 that are logged. `registry`
    has metrics beside the signals; by default it is a new one. `signals` are those of the part.

    Raises ValueError if the registry has the name of a signal.
    """

    def __init__(  # noqa: PLR0913  # one for each option
        self,
        part: str,
        *,
        build: dict[str, str] | None = None,
        ratio: float = 1.0,
        export: OtlpExporter | None = None,
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
        self._names = names((*own.OWN, *known))
        self.registry = (
            Registry(self._names) if registry is None else without(registry, self._names)
        )
        self.log = _logger(part, log_level)
        self.records = export is not None
        """Whether spans are exported; without export no trace id is exposed."""
        self._queue: SpanQueue | None = None
        if export is not None:
            # newer versions of the SDK and the environment may set the id: both take precedence
            instance = Resource({"service.instance.id": str(uuid4())})
            of_part = {"service.name": part, "service.version": info["version"]}
            dropped = self.metrics[own.SPANS_DROPPED]
            self._queue = SpanQueue(
                export,
                instance.merge(Resource.create(of_part)),
                exported=self.metrics[own.SPANS_EXPORTED].inc,
                dropped=lambda count, reason: dropped.labels(reason).inc(count),
                log=self.log,
            )
        self._traffic: dict[Endpoint, Traffic] = {}
        self.watch(own.ACTIVE_REQUESTS, lambda: self.active)

    # -- metrics

    def count(self, signal: Signal, by: int = 1, /, **labels: str) -> None:
        """Add to a counter. Raises ValueError for other labels than the signal's."""
        self.metrics.named(signal, labels).inc(by)

    def watch(self, signal: Signal, read: Callable[[], float], **labels: str) -> None:
        """Read a counter or gauge at each scrape, on the thread that writes the exposition: `read`
        must not block. If it fails, the series is omitted.
        """
        self.metrics.named(signal, labels).read = read

    def watch_process(self) -> None:
        """Expose CPU time, memory and files (on Linux) of this process, its garbage collection and
        its Python. Raises ValueError if the registry already does.
        """
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)

    def pieces(self, form: Format) -> Iterator[bytes]:
        """The exposition of signals and registry, in pieces that are written one at a time."""
        yield from self.metrics.pieces(form, self.log)
        yield from pieces(self.registry, self._names, form, self.log)
        if form is Format.OPENMETRICS:
            yield END

    def exposition(self) -> bytes:
        """The whole exposition in the OpenMetrics text format."""
        return b"".join(self.pieces(Format.OPENMETRICS))

    # -- traces

    def traceparent(self) -> str | None:
        """The current span as a W3C traceparent; None where there is none."""
        span = current.get()
        return None if span is None else span.traceparent

    def sampled(self) -> bool:
        """Whether the request being handled is recorded."""
        span = current.get()
        return span is not None and span.sampled

    def local_call(self, endpoint: "Endpoint") -> AbstractContextManager[None]:
        """The internal span of a call to a capability in this process."""
        return _Step(self, self.begin(), _internal(endpoint.capability, endpoint.method))

    def background(
        self, name: str, capability: str, causes: Iterable[str | None]
    ) -> AbstractContextManager[None]:
        """A new trace for work outside of requests, linked to each of the traceparents in
        `causes`.
        """
        span = self.root(*filter(None, map(cause_of, causes)))
        return _Step(self, span, _internal(capability, "", name))

    def client_call(self, endpoint: "Endpoint") -> "AbstractContextManager[ClientCall]":
        """The client span and the observation of one try of a call to a peer."""
        traffic = self._traffic.get(endpoint)
        if traffic is None:
            traffic = self._traffic[endpoint] = Traffic(endpoint, self.metrics)
        return WatchedCall(telemetry=self, traffic=traffic)

    def middleware(self, app: ASGIApp, *, capability: str, trusted: bool) -> ASGIApp:
        """Wrap an app: one server span and one observation a request. `capability` is the span's
        if the route has none. A caller that is not `trusted` determines neither whether a request
        is recorded nor its trace: its span is linked.
        """
        return Middleware(app, self, capability, trusted=trusted, templates=Templates(app))

    def begin(self) -> Span:
        """A child of the current span; without one, the first span of a trace."""
        above = current.get()
        return self.root() if above is None else above.child()

    def root(self, *links: Cause) -> Span:
        """The first span of a trace."""
        return Span.root(self.ratio if self.records else 0.0, *links)

    def keep(self, span: Span) -> None:
        """Queue a finished span for export."""
        if self._queue is not None:
            self._queue.put(span)

    def close(self) -> None:
        """Export the remaining spans. Blocks: never call it on the event loop. A later span
        starts the export again.
        """
        if self._queue is not None:
            self._queue.close()


@cache
def _internal(capability: str, method: str, name: str = "") -> Blueprint:
    attributes = {own.CAPABILITY: capability} | ({own.METHOD: method} if method else {})
    return Blueprint(name or f"{capability}.{method}", "internal", attributes)


@dataclass(slots=True, eq=False)
class _Step:
    """A span around work in this process."""

    _telemetry: Telemetry
    _span: Span
    _blueprint: Blueprint
    _token: Token[Span | None] = field(init=False)

    def __enter__(self) -> None:
        self._token = current.set(self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        current.reset(self._token)
        if not self._span.sampled:
            return
        blueprint = self._blueprint if kind is None else self._blueprint.failing(kind.__name__)
        self._span.finish(blueprint, message="" if error is None else str(error))
        self._telemetry.keep(self._span)


# -- a request, as its server


Common = tuple[str, Histogram, Blueprint]
"""What requests of one method, route and status share; first the route's template."""


@dataclass(eq=False)
class Middleware:
    """The ASGI middleware around one app of a part."""

    app: ASGIApp
    telemetry: Telemetry
    capability: str
    _: KW_ONLY
    trusted: bool
    templates: Templates
    _known: dict[tuple[str, str, int, str], Common] = field(default_factory=dict, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        span = self.span_of(scope["headers"])
        exchange = _Exchange(self, scope, send, span)
        self.telemetry.active += 1
        token = current.set(span)
        try:
            await self.app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            if not exchange.ended:
                exchange.end()
            current.reset(token)

    def span_of(self, headers: list[tuple[bytes, bytes]]) -> Span:
        """The span of a new request. Two traceparents count as none, as the standard requires."""
        found = [value for name, value in headers if name == b"traceparent"]
        cause = cause_of(found[0].decode("latin-1")) if len(found) == 1 else None
        if cause is not None and self.trusted:
            return Span.continued(cause, records=self.telemetry.records)
        return self.telemetry.root(*((cause,) if cause else ()))

    def common(self, scope: Scope, status: int) -> Common:
        """The cached values of this method, route and status, whose number is bounded."""
        method, scheme = scope["method"], "https" if scope["scheme"] == "https" else "http"
        if method not in METHODS:
            method = OTHER
        template = self.templates.of(scope)
        key = method, template, status, scheme
        known = self._known.get(key)
        if known is not None:
            return known
        contract = getattr(scope.get("route"), "contract", None)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.scheme": scheme,
            own.CAPABILITY: self.capability if contract is None else contract.capability,
        }
        if contract is not None:
            attributes[own.METHOD] = contract.method
        failed = status >= _DEFECTS
        if failed:
            attributes["error.type"] = str(status)
        name = "HTTP" if method == OTHER else method
        if template != own.UNMATCHED:
            attributes["http.route"] = template
            name += f" {template}"
        blueprint = Blueprint(name, "server", attributes, detail="url.path", failed=failed)
        durations = self.telemetry.metrics[own.SERVER_DURATION]
        known = template, durations.labels(method, template, str(status)), blueprint
        return self._known.setdefault(key, known)


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request and its response; the server responds 500 if the app sends nothing."""

    _middleware: Middleware
    _scope: Scope
    _send: Send
    _span: Span
    _status: int = field(default=500, init=False)
    ended: bool = field(default=False, init=False)
    _started: float = field(default_factory=time.perf_counter, init=False)

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on a message of the app."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            if self._middleware.trusted:
                timing = (b"server-timing", self._timing())
                message = {**message, "headers": [*message.get("headers", ()), timing]}
        elif kind == "http.response.body" and not message.get("more_body", False):
            return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        await self._send(message)
        self.end()

    def _timing(self) -> bytes:
        server = (time.perf_counter() - self._started) * 1_000
        handler = self._scope.get(HANDLER)
        if handler is None:
            return b"server;dur=%.3f" % server
        return b"handler;dur=%.3f, server;dur=%.3f" % (handler * 1_000, server)

    def end(self, error: BaseException | None = None) -> None:
        """Called once: with the last byte, or else when the app returns or fails."""
        if self.ended:
            return
        self.ended = True
        duration = time.perf_counter() - self._started
        telemetry, span = self._middleware.telemetry, self._span
        telemetry.active -= 1
        template, durations, blueprint = self._middleware.common(self._scope, self._status)
        if span.sampled:
            durations.observe(duration, (span.trace_id, span.span_id))
            if error is not None:
                blueprint = blueprint.failing(type(error).__name__)
            span.finish(blueprint, self._scope["path"], "" if error is None else str(error))
            telemetry.keep(span)
        else:
            durations.observe(duration)
        failed = self._status >= _DEFECTS
        if failed or telemetry.access_log > random.random():  # noqa: S311  # not for secrets
            (telemetry.log.error if failed else telemetry.log.info)(
                "request",
                method=self._scope["method"],
                route=template,
                status=self._status,
                duration_ms=round(duration * 1_000, 3),
            )


# -- a hop, as its client


class Endpoint(Protocol):
    """A method of a peer, and how HTTP carries it. It is hashable."""

    @property
    def capability(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def verb(self) -> str: ...


@dataclass(slots=True, eq=False)
class ClientCall:
    """One try of a call, with the header to send and the response's data.

    `traceparent` is the header's value, empty for none; `url` is set to the requested URL;
    `status` is 0 without a response; `server_timing` is the header of the response.
    """

    traceparent: str = ""
    url: str = ""
    status: int = 0
    server_timing: bytes = b""


class Traffic(dict[int, tuple[Histogram, Blueprint]]):
    """The series and blueprints of calls of one endpoint, by status."""

    def __init__(self, endpoint: Endpoint, metrics: Metrics) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._durations = metrics[own.CLIENT_DURATION]
        names = endpoint.capability, endpoint.method
        self.handler = metrics[own.HOP_HANDLER].labels(*names)
        self.server = metrics[own.HOP_SERVER].labels(*names)

    def __missing__(self, status: int) -> tuple[Histogram, Blueprint]:
        endpoint = self._endpoint
        attributes: dict[str, str | int] = {
            "http.request.method": endpoint.verb,
            own.PEER: endpoint.capability,
            own.METHOD: endpoint.method,
        }
        if status:
            attributes["http.response.status_code"] = status
        failed = status >= _ERRORS
        if failed:
            attributes["error.type"] = str(status)
        blueprint = Blueprint(endpoint.name, "client", attributes, "url.full", failed=failed)
        durations = self._durations.labels(endpoint.capability, endpoint.method, str(status))
        self[status] = durations, blueprint
        return self[status]


@dataclass(slots=True, eq=False, kw_only=True)
class WatchedCall(ClientCall):
    """Begins before the message is encoded and ends after the response is decoded: its duration
    minus the callee's own time is the cost of the hop.
    """

    telemetry: Telemetry
    traffic: Traffic
    _span: Span = field(init=False)
    _started: float = field(init=False)

    def __enter__(self) -> Self:
        above = current.get()
        if above is None or above.sampled:
            self._span = self.telemetry.begin()
        else:
            self._span = above  # a step of an unrecorded trace needs no id
        self.traceparent = self._span.traceparent
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        duration = time.perf_counter() - self._started
        histogram, blueprint = self.traffic[self.status]
        span = self._span
        if found := _SERVER_TIMING.search(self.server_timing):  # that of a proxy is ignored
            handler, server = found.groups()
            self.traffic.server.inc(float(server) / 1_000)
            if handler is not None:
                self.traffic.handler.inc(float(handler) / 1_000)
        if not span.sampled:
            histogram.observe(duration)
            return
        histogram.observe(duration, (span.trace_id, span.span_id))
        if kind is not None and not blueprint.failed:
            blueprint = blueprint.failing(kind.__name__)
        span.finish(blueprint, self.url, "" if error is None else str(error))
        self.telemetry.keep(span)


# -- the log


def _logger(part: str, level: str) -> Any:
    """A structlog logger: each event is a line of JSON on standard output, with its trace. An event
    below `level` is not processed.
    """
    return structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            _trace_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
        part=part,
    ).bind()


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if span := current.get():
        event.update(trace_id=span.trace_id, span_id=span.span_id)
    return event
