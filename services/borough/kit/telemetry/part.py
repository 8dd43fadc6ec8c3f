"""The telemetry of one part: one span and one observation a request, and counters by name."""

import logging
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borough.contracts.capability import Endpoint
from borough.kit import signals
from borough.kit.signals import Signal
from borough.kit.telemetry.metrics import Metrics

_propagator = TraceContextTextMapPropagator()
Export = SpanExporter
"""Whatever receives finished spans."""


class Telemetry:
    """The signals of one part. `export` receives its finished spans; without it none are kept."""

    def __init__(
        self,
        part: str,
        *,
        build: dict[str, str] | None = None,
        ratio: float = 1.0,
        export: Export | None = None,
        log_level: str = "info",
    ) -> None:
        info = {"version": "", "part": part, "shape": "", "capabilities": ""} | (build or {})
        self.metrics = Metrics(info)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({"service.name": part, "service.version": info["version"]}),
            span_limits=SpanLimits(),
            shutdown_on_exit=False,
        )
        if export is not None:
            self._provider.add_span_processor(BatchSpanProcessor(export))
        self._tracer = self._provider.get_tracer("borough")
        self.log = _logger(part, log_level)

    # -- metrics

    def count(self, signal: Signal, **labels: str) -> None:
        """Add one to a counter."""
        self.metrics.count(signal, **labels)

    def watch(self, signal: Signal, read: Callable[[], float], **labels: str) -> None:
        """A gauge that is read when it is scraped, on the thread that scrapes."""
        self.metrics.watch(signal, read, **labels)

    def exposition(self) -> bytes:
        """Every series in the OpenMetrics text format."""
        return self.metrics.exposition()

    # -- traces

    def traceparent(self) -> str | None:
        """The current span as a W3C traceparent; None when there is none."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent")

    def sampled(self) -> bool:
        """Whether the request being handled is traced."""
        return trace.get_current_span().is_recording()

    @contextmanager
    def local_call(self, endpoint: Endpoint) -> Iterator[None]:
        """The internal span of a call to a capability in this process."""
        with self._span(endpoint.name, SpanKind.INTERNAL, _of(endpoint)):
            yield

    @contextmanager
    def background(self, name: str, capability: str, link: str | None) -> Iterator[None]:
        """A trace of its own for work nobody waits for; `link` is the traceparent of its cause."""
        with self._span(
            name, SpanKind.INTERNAL, {signals.CAPABILITY: capability}, **_new_trace(link)
        ):
            yield

    @contextmanager
    def client_call(self, endpoint: Endpoint) -> Iterator["ClientCall"]:
        """The client span and the observation of one try of a call to a peer."""
        start = time.perf_counter()
        call = ClientCall()
        attributes = {"http.request.method": endpoint.verb, "borough.peer": endpoint.capability}
        try:
            with self._span(endpoint.name, SpanKind.CLIENT, attributes) as span:
                _propagator.inject(call.headers)
                try:
                    yield call
                finally:
                    span.set_attribute("http.response.status_code", call.status)
        finally:
            self.metrics[signals.CLIENT_DURATION].labels(
                endpoint.capability, endpoint.method, str(call.status)
            ).observe(time.perf_counter() - start)

    def middleware(self, app: ASGIApp, *, capability: str, trusted: bool) -> ASGIApp:
        """Wrap an app: one server span and one observation a request. `capability` is whose work a
        request is where its route does not say. Callers who are not `trusted` neither decide
        whether a request is traced nor in which trace: theirs is linked.
        """
        return _Middleware(app, self, capability, trusted=trusted)

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: dict[str, str], **more: Any
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False,
            set_status_on_exception=False, **more,
        ) as span:  # fmt: skip  # reads as one call
            try:
                yield span
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                span.set_attribute("error.type", type(error).__name__)
                raise

    def close(self) -> None:
        """Export what is left. Blocks: never call it on the event loop."""
        self._provider.shutdown()


class ClientCall:
    """One try of a call: the headers it must bear, the status that came back (0: none)."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.status = 0


class _Middleware:
    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, capability: str, *, trusted: bool
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._capability = capability
        self._trusted = trusted
        self._duration = telemetry.metrics[signals.SERVER_DURATION]
        self._active = telemetry.metrics[signals.ACTIVE_REQUESTS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500
        method = scope["method"]

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        place = (
            {"context": _propagator.extract(headers)}
            if self._trusted
            else _new_trace(headers.get("traceparent"))
        )
        attributes = {signals.CAPABILITY: self._capability, "http.request.method": method}
        with (
            self._active.track_inprogress(),
            self._telemetry._span(  # noqa: SLF001  # its twin
                method, SpanKind.SERVER, attributes, **place
            ) as span,
        ):
            try:
                await self._app(scope, receive, watch)
            finally:
                route = scope.get("route")
                template = getattr(route, "path", signals.UNMATCHED)
                span.update_name(f"{method} {template}")
                span.set_attributes({"http.route": template, "http.response.status_code": status})
                if (contract := getattr(route, "contract", None)) is not None:
                    span.set_attributes(_of(contract))
                self._duration.labels(method, template, str(status)).observe(
                    time.perf_counter() - start
                )


def otlp(endpoint: str) -> Export:
    """Sends spans to a collector by OTLP/HTTP; `endpoint` is http://HOST:PORT."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # costs a part that exports nothing 100 ms
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")


def _of(endpoint: Endpoint) -> dict[str, str]:
    return {signals.CAPABILITY: endpoint.capability, signals.METHOD: endpoint.method}


def _new_trace(cause: str | None) -> dict[str, Any]:
    """Where the first span of a trace stands: below nothing; linked to its cause, a traceparent."""
    carrier = {"traceparent": cause or ""}
    caller = trace.get_current_span(_propagator.extract(carrier)).get_span_context()
    links = [Link(caller)] if caller.is_valid else []
    return {"context": otel_context.Context(), "links": links}


def _logger(part: str, level: str) -> Any:
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
        part=part,
    )


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event
