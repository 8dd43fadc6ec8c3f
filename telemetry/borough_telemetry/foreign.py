"""The telemetry of a part for any FastAPI app, in one line: `instrument(app)`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

from fastapi import FastAPI, Response
from opentelemetry import context as otel_context
from opentelemetry import trace
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from borough_telemetry.export import Batching
from borough_telemetry.pages import PageServer, metrics_page
from borough_telemetry.part import Middleware, Telemetry, otlp
from borough_telemetry.routes import Templates
from borough_telemetry.spans import Span


def instrument(  # noqa: PLR0913  # what an owner of an app may want otherwise
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
    """Measure, trace and log every HTTP request of an app. Call it last, before the app starts.

    `service` names it, its title if empty. Spans of a share `ratio` of the requests go to
    `otlp_endpoint`, http://HOST:PORT. `trusted` says that callers may decide that, and be parents;
    else they are linked. `metrics` is a path, or a port of its own on all interfaces, which threads
    serve: the start of the app fails with OSError where it is taken. `access_log` is the share of
    requests below 500 that leave a line.
    `registry` is where the app keeps metrics of its own: they are told beside ours. `batching` says
    how many spans wait for the endpoint, and for how long.

    The app closes it as it shuts down; it may start again. Raises RuntimeError where the app has
    started, and ValueError where the endpoint is no address or a metric of its own has a name of
    ours.
    """
    name = service or app.title
    telemetry = Telemetry(
        name,
        build={"version": app.version},
        ratio=ratio,
        export=otlp(otlp_endpoint, batching) if otlp_endpoint else None,
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


class _Foreign(Middleware):
    """Tells the OpenTelemetry API which span is under way, for code that begins spans of its own:
    they become children of ours. The parts do without: nothing in them knows that API.

    `metrics` is answered here, since a route of its own would be tried for every other request.
    """

    def __init__(self, *args: Any, metrics: str | None, **named: Any) -> None:
        super().__init__(*args, **named)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == self._metrics and scope["method"] in {"GET", "HEAD"}:
            await self._tell(scope, receive, send)
            return
        before = otel_context.get_current()
        try:
            await super().__call__(scope, receive, send)
        finally:
            otel_context.attach(before)

    def span_of(self, headers: list[tuple[bytes, bytes]]) -> Span:
        span = super().span_of(headers)
        # a context of its own: nothing of whoever was here before
        otel_context.attach(otel_context.Context({_KEY: _Ours(span)}))
        return span

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = Request(scope).headers.get("accept", "")
        # in a thread, since the app's own collectors may wait for something
        page = await asyncio.to_thread(metrics_page, self.telemetry.pieces, accept)
        # as a header, since older versions of Starlette write a charset behind any media type
        headers = {"content-type": page.content_type}
        await Response(page.body, page.status, headers)(scope, receive, send)


(_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, otel_context.Context())
"""Where that API keeps the span. To set it by its own function costs as much as all the rest."""


class _Ours(trace.NonRecordingSpan):
    """A span of ours as that API knows it; few ask, so it is put into their words when they do."""

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
