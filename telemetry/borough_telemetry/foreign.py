"""The telemetry of a part for any FastAPI app, in one line: `instrument(app)`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI, Response
from opentelemetry import context as otel_context
from opentelemetry import trace
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from borough_telemetry.export import Batching, OtlpExporter
from borough_telemetry.pages import PageServer, metrics_page
from borough_telemetry.part import Middleware, Telemetry
from borough_telemetry.routes import Templates
from borough_telemetry.spans import Span


def instrument(  # noqa: PLR0913  # one for each option
    app: FastAPI,
    *,
    service: str = "",
    otlp_endpoint: str = "",
    ratio: float = 1.0,
    trusted: bool = False,
    metrics: str | int = "/metrics",
    access_log: float = 0.0,
    registry: CollectorRegistry = REGISTRY,
    batching: Batching = Batching(),
) -> Telemetry:
    """Measure, trace and log every HTTP request of an app. Call it last, before the app starts; the
    app closes it as it shuts down, and may start again.

    `service` is its name, by default the app's title. Spans of a share `ratio` of the requests are
    sent to `otlp_endpoint`, http://HOST:PORT. The traceparent of a `trusted` caller is the parent
    and decides on recording; any other is linked. `metrics` is a path of the app, or another port
    on all interfaces: the start of the app fails with OSError if it is in use. `access_log` is the
    share of the requests below 500 that are logged. `registry` has metrics of the app, which are
    exposed too. `batching` sets how many spans are queued for the endpoint, and for how long.

    Raises RuntimeError if the app has started, and ValueError if the endpoint is not an address or
    the registry has the name of a signal.
    """
    name = service or app.title
    telemetry = Telemetry(
        name,
        build={"version": app.version},
        ratio=ratio,
        export=OtlpExporter(otlp_endpoint, batching) if otlp_endpoint else None,
        access_log=access_log,
        registry=registry,
    )
    app.add_middleware(
        _Foreign,
        telemetry=telemetry,
        capability=name,
        trusted=trusted,
        templates=Templates(app),
        metrics=metrics if isinstance(metrics, str) else None,
    )
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        pages: Any = nullcontext()
        if isinstance(metrics, int):
            routes = {"/metrics": partial(metrics_page, telemetry.pieces)}
            pages = PageServer(socket.create_server(("", metrics)), routes, telemetry.log)
        try:
            with pages:
                async with inner(app) as state:
                    yield state
        finally:
            await asyncio.to_thread(telemetry.close)

    app.router.lifespan_context = lifespan
    return telemetry


@dataclass(eq=False, kw_only=True)
class _Foreign(Middleware):
    """Sets the span as the OpenTelemetry API's current one, so that spans of that API become its
    children. Parts do not use that API.

    `metrics` is served here: a route would be matched against every other request.
    """

    metrics: str | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == self.metrics and scope["method"] in {"GET", "HEAD"}:
            accept = Headers(scope=scope).get("accept", "")
            # in a thread, since the app's own collectors may wait for something
            page = await asyncio.to_thread(metrics_page, self.telemetry.pieces, accept)
            # as a header, since older versions of Starlette add a charset to any media type
            headers = {"content-type": page.content_type}
            await Response(page.body, page.status, headers)(scope, receive, send)
            return
        before = otel_context.get_current()
        try:
            await super().__call__(scope, receive, send)
        finally:
            otel_context.attach(before)

    def span_of(self, headers: list[tuple[bytes, bytes]]) -> Span:
        span = super().span_of(headers)
        # a context of its own, without the values of an earlier request
        otel_context.attach(otel_context.Context({_KEY: _ApiSpan(span)}))
        return span


(_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, otel_context.Context())
"""That API's context key of the span; its own function to set it would double the cost."""


class _ApiSpan(trace.NonRecordingSpan):
    """A span for that API; its context is created on use, which is rare."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def get_span_context(self) -> trace.SpanContext:
        """Its ids and its flag."""
        span = self._span
        return trace.SpanContext(
            int(span.trace_id, 16),
            int(span.span_id, 16),
            is_remote=False,
            trace_flags=trace.TraceFlags(int(span.flag, 16)),
        )
