"""The telemetry of one part: one span and one observation a request, and counters by name.

It is one long file because it is one pass: what a part tells, its side of a request as a server,
and its side of a hop as a client, each with its span, its duration and its line in the log.

A request ends with the last byte of the answer: work that goes on in the background is nobody's
waiting. The head of an answer to a trusted caller bears `Server-Timing`, so that it can tell the
hop from the work; to a stranger, our time to the microsecond would tell what our secrets cost.
"""

import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from uuid import uuid4

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borough_telemetry.export import Batching, Exporting, Otlp, Sdk
from borough_telemetry.metrics import END, Format, Histogram, Metrics
from borough_telemetry.registry import Registry, pieces, watch_process, without
from borough_telemetry.routes import Templates
from borough_telemetry.signals import (
    ACTIVE_REQUESTS,
    CAPABILITY,
    CLIENT_DURATION,
    HOP_HANDLER,
    HOP_SERVER,
    METHOD,
    OWN,
    SERVER_DURATION,
    SPANS_DROPPED,
    SPANS_EXPORTED,
    UNMATCHED,
    Signal,
    names,
)
from borough_telemetry.spans import Blueprint, Cause, Span, cause_of, current

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
OTHER = "_OTHER"
"""What the semantic conventions call any other method."""
HANDLER = "borough.handler_s"
"""Where a route leaves, in its scope, the seconds it spent in the business."""
_DEFECTS, _ERRORS = 500, 400
_MS = rb"(\d{1,9}(?:\.\d{1,9})?)(?![\d.])"
_SERVER_TIMING = re.compile(rb"(?:^|,\s*)(?:handler;dur=" + _MS + rb", )?server;dur=" + _MS)

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
        self.log = _logger(part, log_level)
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

    def local_call(self, endpoint: "Endpoint") -> AbstractContextManager[None]:
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

    def client_call(self, endpoint: "Endpoint") -> "AbstractContextManager[ClientCall]":
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


# -- a request, as its server


class Common(NamedTuple):
    """What requests of one method, route and status share."""

    template: str
    duration: Histogram
    blueprint: Blueprint


class Middleware:
    """Around one app of a part. Keeps what requests of one route and status have in common."""

    def __init__(
        self,
        app: ASGIApp,
        telemetry: Telemetry,
        capability: str,
        *,
        trusted: bool,
        templates: Templates,
    ) -> None:
        self.telemetry = telemetry
        self._app = app
        self._capability = capability
        self.trusted = trusted
        self._templates = templates
        self._known: dict[tuple[str, str, int, bool], Common] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self.span_of(scope["headers"])
        exchange = _Exchange(self, scope, send, span)
        token = current.set(span)
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            if not exchange.ended:
                exchange.end()
            current.reset(token)

    def span_of(self, headers: list[tuple[bytes, bytes]]) -> Span:
        """The span of a request that has just come. Two contexts are none, as the standard says."""
        told = [value for name, value in headers if name == b"traceparent"]
        cause = cause_of(told[0].decode("latin-1")) if len(told) == 1 else None
        if cause is not None and self.trusted:
            return Span.continued(cause, records=self.telemetry.records)
        return self.telemetry.root(*((cause,) if cause else ()))

    def common(self, scope: Scope, status: int) -> Common:
        """Bounded, since methods, routes and statuses are."""
        method = scope["method"]
        if method not in METHODS:
            method = OTHER
        key = method, self._templates.of(scope), status, scope["scheme"] == "https"
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._new(*key, scope.get("route"))
        return known

    def _new(self, method: str, template: str, status: int, tls: bool, route: Any) -> Common:  # noqa: FBT001  # a part of the key
        contract = getattr(route, "contract", None)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.scheme": "https" if tls else "http",
            CAPABILITY: self._capability if contract is None else contract.capability,
        }
        if contract is not None:
            attributes[METHOD] = contract.method
        if template != UNMATCHED:
            attributes["http.route"] = template
        if status >= _DEFECTS:
            attributes["error.type"] = str(status)
        name = "HTTP" if method == OTHER else method
        blueprint = Blueprint(
            name if template == UNMATCHED else f"{name} {template}",
            "server",
            attributes,
            detail="url.path",
            failed=status >= _DEFECTS,
        )
        durations = self.telemetry.metrics[SERVER_DURATION]
        return Common(template, durations.labels(method, template, str(status)), blueprint)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_middleware", "_scope", "_send", "_started", "_status", "ended", "span")

    def __init__(self, middleware: Middleware, scope: Scope, send: Send, span: Span) -> None:
        self.span = span
        self._middleware = middleware
        self._scope = scope
        self._send = send
        self._status = 500  # what a server answers where the app does not
        self.ended = False
        self._started = time.perf_counter()
        middleware.telemetry.active += 1

    def send(self, message: Message) -> Awaitable[None]:
        """What the app sends, on its way out."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            if self._middleware.trusted:
                told = (b"server-timing", self._timing())
                message = {**message, "headers": [*message.get("headers", ()), told]}
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
        """Once: with the last byte, or else when the app returns or fails."""
        if self.ended:
            return
        self.ended = True
        duration = time.perf_counter() - self._started
        telemetry, span = self._middleware.telemetry, self.span
        telemetry.active -= 1
        common = self._middleware.common(self._scope, self._status)
        if span.sampled:
            common.duration.observe(duration, span.exemplar)
            blueprint = common.blueprint
            if error is not None:
                blueprint = blueprint.failing(type(error).__name__)
            span.finish(blueprint, self._scope["path"], "" if error is None else str(error))
            telemetry.keep(span)
        else:
            common.duration.observe(duration)
        if self._status >= _DEFECTS or telemetry.access_log > random.random():  # noqa: S311  # a sample, no secret
            self._log(common.template, duration)

    def _log(self, template: str, duration: float) -> None:
        log = self._middleware.telemetry.log
        (log.error if self._status >= _DEFECTS else log.info)(
            "request",
            method=self._scope["method"],
            route=template,
            status=self._status,
            duration_ms=round(duration * 1_000, 3),
        )


# -- a hop, as its client


class Endpoint(Protocol):
    """What is called: a method of a peer, and how HTTP carries it. It is hashable."""

    @property
    def capability(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def verb(self) -> str: ...


class ClientCall:
    """One try of a call, for as long as it lasts: what must travel with it, and what came back.

    `traceparent` is the header's value, empty for none; `url` is what was asked; `status` is 0
    where no answer came; `server_timing` is the header of the answer.
    """

    __slots__ = ("server_timing", "status", "traceparent", "url")

    def __init__(self) -> None:
        self.traceparent = ""
        self.url = ""
        self.status = 0
        self.server_timing = b""


class Traffic:
    """What all calls of one endpoint have in common: their series and their blueprints."""

    def __init__(self, endpoint: Endpoint, metrics: Metrics) -> None:
        self._endpoint = endpoint
        self._durations = metrics[CLIENT_DURATION]
        self._by_status: dict[int, tuple[Histogram, Blueprint]] = {}
        names = endpoint.capability, endpoint.method
        self.handler = metrics[HOP_HANDLER].labels(*names)
        self.server = metrics[HOP_SERVER].labels(*names)

    def of(self, status: int) -> tuple[Histogram, Blueprint]:
        """The series and the blueprint of the calls that were answered so."""
        known = self._by_status.get(status)
        if known is None:
            known = self._by_status[status] = self._new(status)
        return known

    def _new(self, status: int) -> tuple[Histogram, Blueprint]:
        endpoint = self._endpoint
        attributes: dict[str, str | int] = {
            "http.request.method": endpoint.verb,
            "borough.peer": endpoint.capability,
            METHOD: endpoint.method,
        }
        if status:
            attributes["http.response.status_code"] = status
        if status >= _ERRORS:
            attributes["error.type"] = str(status)
        blueprint = Blueprint(
            endpoint.name, "client", attributes, detail="url.full", failed=status >= _ERRORS
        )
        labels = endpoint.capability, endpoint.method, str(status)
        return self._durations.labels(*labels), blueprint


class WatchedCall(ClientCall):
    """Begins before the message is encoded and ends after the answer is decoded, so that the hop's
    whole tax lies between it and the callee's own time.
    """

    __slots__ = ("_span", "_started", "_telemetry", "_traffic")

    _span: Span
    _started: float

    def __init__(self, telemetry: Telemetry, traffic: Traffic) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._traffic = traffic

    def __enter__(self) -> Self:
        above = current.get()
        if above is None or above.sampled:
            self._span = self._telemetry.begin()
        else:
            self._span = above  # no step of an unrecorded trace needs an id of its own
        self.traceparent = self._span.traceparent
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        duration = time.perf_counter() - self._started
        histogram, blueprint = self._traffic.of(self.status)
        span = self._span
        if self.server_timing:
            self._add_callee(self.server_timing)
        if not span.sampled:
            histogram.observe(duration)
            return
        histogram.observe(duration, span.exemplar)
        if kind is None:
            span.finish(blueprint, self.url)
        else:
            failed = blueprint if blueprint.failed else blueprint.failing(kind.__name__)
            span.finish(failed, self.url, str(error))
        self._telemetry.keep(span)

    def _add_callee(self, told: bytes) -> None:
        """Sum up what Server-Timing says; of a proxy's own words nothing is understood."""
        found = _SERVER_TIMING.search(told)
        if found is None:
            return
        handler, server = found.groups()
        self._traffic.server.inc(float(server) / 1_000)
        if handler is not None:
            self._traffic.handler.inc(float(handler) / 1_000)


# -- the log


def _logger(part: str, level: str) -> Any:
    """A structlog logger: a line of JSON an event on standard output, with the trace it belongs to.
    What is less severe than `level` costs next to nothing.
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
    span = current.get()
    if span is not None:
        event["trace_id"] = span.trace_id
        event["span_id"] = span.span_id
    return event
