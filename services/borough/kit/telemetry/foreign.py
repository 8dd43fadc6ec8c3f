"""The telemetry of a part for any FastAPI app, in one line: `instrument(app)`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from opentelemetry import context as otel_context
from opentelemetry import trace
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from borough.kit.telemetry.pages import PageServer, metrics_page
from borough.kit.telemetry.part import Telemetry, otlp
from borough.kit.telemetry.routes import Templates
from borough.kit.telemetry.server import Middleware
from borough.kit.telemetry.spans import current


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
) -> Telemetry:
    """Measure, trace and log every HTTP request of an app. Call it last, before the app starts.

    `service` names it, its title if empty. Spans of a share `ratio` of the requests go to
    `otlp_endpoint`, http://HOST:PORT. `trusted` says that callers may decide that, and be parents;
    else they are linked. `metrics` is a path of the app, or a port of its own on all interfaces,
    which threads serve. `access_log` is the share of requests below 500 that leave a line.
    `registry` is where the app keeps metrics of its own: they are told beside ours.

    The app closes it as it shuts down. Raises OSError where the port is taken, RuntimeError where
    the app has started, and ValueError where a metric of its own has a name of ours.
    """
    name = service or app.title
    telemetry = Telemetry(
        name,
        build={"version": app.version},
        ratio=ratio,
        export=otlp(otlp_endpoint) if otlp_endpoint else None,
        access_log=access_log,
        registry=registry,
    )
    app.add_middleware(_Announced)
    app.add_middleware(
        Middleware,
        telemetry=telemetry,
        capability=name,
        trusted=trusted,
        templates=Templates(app),
    )
    pages: Any = nullcontext()
    if isinstance(metrics, int):
        listening = socket.create_server(("", metrics))
        pages = PageServer(
            listening, {"/metrics": partial(metrics_page, telemetry.pieces)}, telemetry.log
        )
    else:
        app.router.routes.insert(0, Route(metrics, _metrics_route(telemetry)))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        try:
            with pages:
                async with inner(app) as state:
                    yield state
        finally:
            await asyncio.to_thread(telemetry.close)

    app.router.lifespan_context = lifespan
    return telemetry


def _metrics_route(telemetry: Telemetry) -> Any:
    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        # in a thread, since the app's own collectors may wait for something
        page = await asyncio.to_thread(metrics_page, telemetry.pieces, accept)
        return Response(page.body, page.status, media_type=page.content_type)

    return metrics


class _Announced:
    """Tells the OpenTelemetry API which span is under way, for code that begins spans of its own:
    they become children of ours. The parts do without: nothing in them knows that API, and telling
    it costs more than all the rest of an unsampled request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = current.get()
        if scope["type"] != "http" or span is None:
            await self._app(scope, receive, send)
            return
        context = trace.SpanContext(
            int(span.trace_id, 16),
            int(span.span_id, 16),
            is_remote=False,
            trace_flags=trace.TraceFlags(span.sampled),
        )
        ours = trace.NonRecordingSpan(context)
        empty = otel_context.Context()  # nothing of whoever was here before
        token = otel_context.attach(trace.set_span_in_context(ours, empty))
        try:
            await self._app(scope, receive, send)
        finally:
            otel_context.detach(token)
