"""Does `instrument(app)` do for an app that is not a part what its page in docs/ says?"""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientSession
from fastapi import BackgroundTasks, FastAPI, WebSocket
from opentelemetry import trace
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from borough_telemetry import Format, instrument
from borough_telemetry.signals import SERVER_DURATION
from borough_telemetry.spans import current
from collector import Collector
from plain import HOST, fetch, served

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"


def example(name: str) -> ModuleType:
    """The app of the page, executed from its text."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = ModuleType(name)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)  # noqa: S102  # the text is a page of this repository
    return module


async def test_example_of_the_page_works_as_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metrics, traces and a log line, over a socket; the remaining spans are exported as the app
    ends.
    """
    async with Collector() as collector:
        monkeypatch.setenv("COLLECTOR", collector.url)
        app = example("example").app
        async with served(app) as port, ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/v1/books/7") as answer:
                assert answer.status == 200
                assert "Server-Timing" not in answer.headers  # the caller is not trusted by default
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                exposed = await answer.text()
                assert answer.content_type == "text/plain"
    assert 'http_route="/v1/books/{number}"' in exposed
    assert '"route": "/v1/books/{number}"' in capsys.readouterr().out
    spans = {span.name: span for span in collector.spans}
    resource = spans["GET /v1/books/{number}"].resource
    assert resource["service.name"] == "library"
    assert resource["service.instance.id"]


async def test_metrics_may_have_a_port_of_their_own() -> None:
    """The app's own port then has no route for them, and the port is free when the app has
    ended.
    """
    app = FastAPI()
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    instrument(app, metrics=own)
    async with served(app) as port:
        assert (await asyncio.to_thread(fetch, port, "/metrics")).status == 404
        page = await asyncio.to_thread(fetch, own, "/metrics")
    assert page.status == 200
    assert b"http_server_request_duration_seconds_count" in page.body
    with socket.create_server(("127.0.0.1", own)):
        pass


@pytest.mark.parametrize("form", list(Format))
async def test_metrics_of_the_app_are_exposed_beside_the_signals(
    form: Format, request: pytest.FixtureRequest
) -> None:
    """Those in prometheus_client's default registry, also if registered later; and the process
    metrics of that registry, once.
    """
    app = FastAPI()
    instrument(app)
    lent = Counter("library_lent", "Books lent.", ["shelf"])
    request.addfinalizer(lambda: REGISTRY.unregister(lent))

    @app.get("/lend")
    async def lend() -> None:
        lent.labels("poetry").inc()

    async with served(app) as port:
        await asyncio.to_thread(fetch, port, "/lend")
        page = await asyncio.to_thread(fetch, port, "/metrics", accept=form.value)
    lines = page.body.decode().splitlines()
    assert page.headers["content-type"] == form.value
    assert 'library_lent_total{shelf="poetry"} 1.0' in lines
    assert [line for line in lines if line.startswith(f"{SERVER_DURATION.name}_count")]
    for name in ("process_cpu_seconds_total ", "python_info{"):
        assert sum(line.startswith(name) for line in lines) == 1
    assert lines.count("# EOF") == (form is Format.OPENMETRICS)


async def test_app_may_have_a_registry_of_its_own() -> None:
    """It is exposed in place of the default one; on a thread, since a collector may block."""
    asked_on = []

    class MemoryStores:
        def collect(self) -> Iterable[Metric]:
            asked_on.append(threading.current_thread())
            yield GaugeMetricFamily("shelves", "MemoryStores.", value=3)

    app, own = FastAPI(), CollectorRegistry()
    own.register(MemoryStores())
    instrument(app, registry=own)
    async with served(app) as port:
        exposed = (await asyncio.to_thread(fetch, port, "/metrics")).body
    assert b"\nshelves 3.0\n" in exposed
    assert b"python_info" not in exposed
    assert threading.main_thread() not in asked_on


async def test_lifespan_of_the_app_still_runs() -> None:
    """What the lifespan of the app opens and closes is opened and closed as before."""
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        seen.append("opened")
        yield {"library": "open"}
        seen.append("closed")

    app = FastAPI(lifespan=lifespan)
    instrument(app)
    async with served(app):
        assert seen == ["opened"]
    assert seen == ["opened", "closed"]


async def test_websocket_is_not_measured() -> None:
    """It is no request with one answer: it passes without metrics or span."""
    app = FastAPI()

    @app.websocket("/talk")
    async def talk(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send_text("hello")
        await ws.close()

    telemetry = instrument(app)
    sent: list[dict[str, Any]] = []
    inbox = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        return inbox.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/talk",
        "headers": [],
        "query_string": b"",
        "root_path": "",
    }
    await app(scope, receive, send)
    assert [message.get("text") for message in sent] == [None, "hello", None]
    assert "http_server_request_duration_seconds_count" not in telemetry.exposition().decode()


async def test_exception_is_recorded_though_the_server_answers() -> None:
    """Starlette answers 500 outside of every middleware: the span has the exception itself."""
    app = FastAPI()

    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError("by nought")

    async with Collector() as collector:
        instrument(app, otlp_endpoint=collector.url, trusted=True)
        async with served(app) as port:
            assert (await asyncio.to_thread(fetch, port, "/fails")).status == 500
        (span,) = collector.spans
    assert (span.status, span.attributes["error.type"]) == ("error", "ZeroDivisionError")


async def test_spans_of_the_opentelemetry_api_become_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Code of the app that traces by the standard API gets the server span as parent, in threads
    too.
    """
    app, found = FastAPI(), []

    @app.get("/async")
    async def in_the_loop() -> None:
        found.append(trace.get_current_span().get_span_context())

    @app.get("/thread")
    def in_a_thread() -> None:
        found.append(trace.get_current_span().get_span_context())

    async with Collector() as collector:
        instrument(app, otlp_endpoint=collector.url)
        async with served(app) as port:
            for path in ("/async", "/thread"):
                await asyncio.to_thread(fetch, port, path)
        spans = collector.spans
    assert [f"{c.trace_id:032x}-{c.span_id:016x}" for c in found] == [
        f"{s.trace_id}-{s.span_id}" for s in spans
    ]
    assert all(context.trace_flags.sampled for context in found)
    assert not trace.get_current_span().get_span_context().is_valid


async def test_pipelined_requests_do_not_share_a_trace() -> None:
    """Plain uvicorn runs each request in the context of the one before; no trace is taken from it,
    not even by work that continues in the background.
    """
    app, found = FastAPI(), []

    async def look(tasks_of: str) -> None:
        span = current.get()
        assert span is not None
        found.append((tasks_of, span.trace_id, trace.get_current_span().get_span_context()))

    @app.get("/{name}")
    async def named(name: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(look, name)
        await look(name)
        await asyncio.sleep(0)
        return name

    async with Collector() as collector:
        instrument(app, otlp_endpoint=collector.url)
        async with served(app) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            lasts = {"ada": "", "grace": "", "alan": "connection: close\r\n"}
            asked = (f"GET /{n} HTTP/1.1\r\nhost: t\r\n{last}\r\n" for n, last in lasts.items())
            writer.write("".join(asked).encode())
            assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 3
            writer.close()
        by_path = {span.attributes["url.path"]: span for span in collector.spans}
    assert len({span.trace_id for span in by_path.values()}) == 3
    assert all(not span.parent_id and not span.links for span in by_path.values())
    assert len(found) == 6
    for name, ours, theirs in found:
        assert ours == f"{theirs.trace_id:032x}" == by_path[f"/{name}"].trace_id


def test_app_that_has_started_is_refused() -> None:
    """A middleware cannot be added after the start."""
    app = FastAPI()
    app.middleware_stack = app.build_middleware_stack()
    with pytest.raises(RuntimeError, match="started"):
        instrument(app)


async def test_app_may_start_again() -> None:
    """A second lifespan of one app serves its metrics and exports its spans as the first did."""
    app = FastAPI()
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    async with Collector() as collector:
        instrument(app, metrics=own, otlp_endpoint=collector.url)
        for times in (1, 2):
            async with served(app) as port:
                await asyncio.to_thread(fetch, port, "/")
                assert (await asyncio.to_thread(fetch, own, "/metrics")).status == 200
            assert len(collector.spans) == times
