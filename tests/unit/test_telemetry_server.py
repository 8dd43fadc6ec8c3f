"""What is recorded of a request, and does the measurement end with its answer?"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import Receive, Scope, Send

from borough_telemetry import Telemetry, routes
from borough_telemetry.signals import UNMATCHED
from plain import HOST, served
from recorded import RecordedSpans

DURATION = "http_server_request_duration_seconds"


class Watched:
    """A small app, its metrics, and an exporter for its spans."""

    def __init__(self) -> None:
        self.exporter = RecordedSpans()
        self.telemetry = Telemetry("test", export=self.exporter, log_level="critical")
        self.app = FastAPI()
        self.after = asyncio.Event()

    async def ask(self, *requests: str, trusted: bool = True) -> list[str]:
        """The Server-Timing of the answer to each of these requests, `GET /path`."""
        found = []
        app = self.telemetry.middleware(self.app, capability="test", trusted=trusted)
        async with served(app) as port, ClientSession(f"http://{HOST}:{port}") as http:
            for request in requests:
                method, _, path = request.partition(" ")
                async with http.request(method, path) as answer:
                    await answer.read()
                    found.append(answer.headers.get("Server-Timing", ""))
            self.after.set()
        return found

    async def spans(self) -> tuple[ReadableSpan, ...]:
        await asyncio.to_thread(self.telemetry.close)
        return self.exporter.get_finished_spans()

    def series(self, name: str) -> dict[str, float]:
        """Values by labels, or by the whole line's name where there are none."""
        exposed = self.telemetry.exposition().decode().splitlines()
        lines = [line.partition(" # ")[0] for line in exposed if line.startswith(name)]
        return {
            line.rsplit(" ", 1)[0].removeprefix(name): float(line.rsplit(" ", 1)[1])
            for line in lines
        }


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """An app without observations."""
    watched = Watched()
    yield watched
    await asyncio.to_thread(watched.telemetry.close)


def labels(method: str, route: str, status: int) -> str:
    return (
        f'{{http_request_method="{method}",http_route="{route}",'
        f'http_response_status_code="{status}"}}'
    )


async def test_background_work_is_not_part_of_the_duration(watched: Watched) -> None:
    """Duration, span and gauge end with the last byte, though the app has not returned."""

    @watched.app.get("/order")
    async def order(tasks: BackgroundTasks) -> str:
        tasks.add_task(watched.after.wait)
        return "placed"

    await watched.ask("GET /order")
    # the task ended only after the answer had been read: with the task included, the request
    # would have been in flight, and not yet measured, when the answer came
    assert watched.series("http_server_active_requests") == {"": 0}
    assert watched.series(f"{DURATION}_count") == {labels("GET", "/order", 200): 1}


async def test_stream_ends_with_its_last_chunk(watched: Watched) -> None:
    """The measurement of a stream ends with its last chunk, not with its head."""
    seen: list[tuple[dict[str, float], dict[str, float]]] = []

    @watched.app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            counts = watched.series(f"{DURATION}_count")
            seen.append((counts, watched.series("http_server_active_requests")))
            yield b"two"

        return StreamingResponse(pieces())

    await watched.ask("GET /stream")
    assert seen == [({}, {"": 1})]
    assert watched.series(f"{DURATION}_count") == {labels("GET", "/stream", 200): 1}


async def test_route_is_labelled_by_its_template_and_all_its_prefixes(watched: Watched) -> None:
    """Included, included twice, mounted, and a route added later; a path without a route is
    `unmatched`.
    """
    inner, outer, mounted = APIRouter(prefix="/inner"), APIRouter(), FastAPI()

    @inner.get("/{number}")
    async def nested(number: int) -> int:
        return number

    @mounted.get("/deep/{name}")
    async def deep(name: str) -> str:
        return name

    outer.include_router(inner, prefix="/outer")
    watched.app.include_router(outer, prefix="/v1")
    watched.app.include_router(outer, prefix="/v2")
    watched.app.mount("/tenants/{tenant}", mounted)
    await watched.ask(
        "GET /v1/outer/inner/7",
        "GET /v2/outer/inner/7",
        "GET /v2/outer/inner/seven",
        "POST /v1/outer/inner/7",
        "GET /tenants/ada/deep/blue",
        "GET /tenants/ada/nothing",
        "PROPFIND /coffee",
        "GET /docs",  # a route of Starlette's, which has no dependencies and no schema
    )
    watched.app.get("/later")(lambda: "here")
    await watched.ask("GET /later")
    assert set(watched.series(f"{DURATION}_count")) == {
        labels("GET", "/v1/outer/inner/{number}", 200),
        labels("GET", "/v2/outer/inner/{number}", 200),
        labels("GET", "/v2/outer/inner/{number}", 422),
        labels("POST", "/v1/outer/inner/{number}", 405),
        labels("GET", "/tenants/{tenant}/deep/{name}", 200),
        labels("GET", "/tenants/{tenant}/{path}", 404),
        labels("_OTHER", "unmatched", 404),
        labels("GET", "/docs", 200),
        labels("GET", "/later", 200),
    }


async def test_server_span_has_the_standard_attributes(watched: Watched) -> None:
    """Stable HTTP attributes; the path is in the span and in no label."""

    @watched.app.get("/orders/{number}")
    async def order(number: int) -> int:
        return number

    await watched.ask("GET /orders/7", "GET /nowhere")
    found, lost = await watched.spans()
    assert (found.name, found.kind) == ("GET /orders/{number}", SpanKind.SERVER)
    assert dict(found.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/orders/{number}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/orders/7",
        "borough.capability": "test",
    }
    assert lost.name == "GET"
    assert "http.route" not in (lost.attributes or {})


async def test_span_of_a_mounted_app_has_the_whole_path(watched: Watched) -> None:
    """A mount passes on the rest of the path; the span has the requested one."""
    mounted = FastAPI()
    mounted.get("/deep")(lambda: "deep")
    watched.app.mount("/tenants", mounted)
    await watched.ask("GET /tenants/deep")
    (span,) = await watched.spans()
    assert (span.attributes or {})["url.path"] == "/tenants/deep"


async def test_failure_is_in_metric_span_and_gauge(watched: Watched) -> None:
    """500 in the metric, an error in the span with its type, and no request in flight."""

    @watched.app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError("by nought")

    await watched.ask("GET /fails")
    (span,) = await watched.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "500"
    assert watched.series(f"{DURATION}_count") == {labels("GET", "/fails", 500): 1}
    assert watched.series("http_server_active_requests") == {"": 0}


async def test_exemplars_are_of_sampled_traces_only(watched: Watched) -> None:
    """A trace id that was not exported cannot be looked up."""

    @watched.app.get("/menu")
    async def menu() -> str:
        return "coffee"

    await watched.ask("GET /menu")
    watched.telemetry.ratio = 0
    await watched.ask(*["GET /menu"] * 3)
    (span,) = await watched.spans()
    assert span.context is not None
    ids = f'trace_id="{span.context.trace_id:032x}",span_id="{span.context.span_id:016x}"'
    exposed = watched.telemetry.exposition().decode()
    assert exposed.count("trace_id=") == 1
    assert ids in exposed


async def test_server_timing_is_sent_to_trusted_callers_only(watched: Watched) -> None:
    """In every answer to a trusted caller, in milliseconds with three decimals; to others never."""
    assert await watched.ask("GET /nowhere", trusted=False) == [""]
    (exposed,) = await watched.ask("GET /nowhere")
    name, _, value = exposed.partition(";dur=")
    assert name == "server"
    assert float(value) > 0
    assert len(value.partition(".")[2]) == 3


async def test_routes_of_opaque_apps_are_walked_once_each(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routes behind a middleware within a mount are unmatched; the results of both walks are
    kept.
    """
    inner, walks = FastAPI(), []
    inner.get("/a")(lambda: "a")
    inner.get("/b")(lambda: "b")

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    walk = routes._walk  # noqa: SLF001  # its calls are counted

    def counted(*what: Any) -> Any:
        walks.append(what)
        return walk(*what)

    monkeypatch.setattr(routes, "_walk", counted)
    watched.app.mount("/x", wrapped)
    await watched.ask(*["GET /x/a", "GET /x/b"] * 5)
    found = watched.series(f"{DURATION}_count")
    assert found == {labels("GET", UNMATCHED, 200): 10}
    assert len(walks) <= 4  # each of two walks goes on into the mount
