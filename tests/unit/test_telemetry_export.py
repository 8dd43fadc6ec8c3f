"""What does a collector that is unreachable, slow or failing cost the part that exports to it?"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from threading import Thread
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import CollectorRegistry

from borough.testing.servers import running
from borough_telemetry import Batching, OtlpExporter, Telemetry, instrument
from borough_telemetry.export import Lost
from borough_telemetry.spans import Blueprint, Span
from collector import Collector
from serving import until

BLUEPRINT = Blueprint("GET /menu", "server", {})
UNREACHABLE = "http://127.0.0.1:1"


BATCHING = Batching(wait_s=0.01, pauses_s=(0, 0.001, 0.001), post_s=600, close_s=600)
"""No pause between two tries, and no timeout for an answer."""


def otlp(endpoint: str, batching: Batching = BATCHING) -> OtlpExporter:
    return OtlpExporter(endpoint, batching)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector that accepts every batch."""
    async with Collector() as collector:
        yield collector


def a_span() -> Span:
    span = Span.root(1)
    span.finish(BLUEPRINT)
    return span


def exposed(telemetry: Telemetry) -> dict[str, float]:
    """The metrics of the part about its spans."""
    lines = telemetry.exposition().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("borough_spans"))
    return {name: float(value) for name, value in pairs}


def dropped(reason: str) -> str:
    return f'borough_spans_dropped_total{{reason="{reason}"}}'


async def settled(telemetry: Telemetry, count: int) -> None:
    """Wait until so many spans in all were exported or dropped."""
    await until(lambda: sum(exposed(telemetry).values()) == count)


async def sent(telemetry: Telemetry, count: int = 1) -> None:
    for _ in range(count):
        telemetry.keep(a_span())
    await asyncio.to_thread(telemetry.close)


async def test_spans_arrive_with_their_resource(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, version, an id of the process, and the resource attributes of the environment."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=orders-0")
    telemetry = Telemetry("orders", build={"version": "1.2"}, export=otlp(collector.url))
    await sent(telemetry, 3)
    resources = [span.resource for span in collector.spans]
    assert len(resources) == 3
    assert resources[0]["service.name"] == "orders"
    assert resources[0]["service.version"] == "1.2"
    assert resources[0]["service.instance.id"]
    assert resources[0]["k8s.pod.name"] == "orders-0"
    assert exposed(telemetry)["borough_spans_exported_total"] == 3


async def test_environment_may_set_the_instance_id(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a cluster it is the name of the pod, which can be looked up, unlike a random id."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=orders-0")
    await sent(Telemetry("orders", export=otlp(collector.url)))
    assert collector.spans[0].resource["service.instance.id"] == "orders-0"


async def test_spans_for_an_unreachable_collector_are_dropped_and_counted() -> None:
    """Nothing is raised and nothing is kept; the loss is counted."""
    telemetry = Telemetry("orders", export=otlp(UNREACHABLE))
    await sent(telemetry, 5)
    assert exposed(telemetry)[dropped("unreachable")] == 5


@pytest.mark.parametrize(
    ("status", "tries", "reason"), [(503, 3, "unreachable"), (400, 1, "refused")]
)
async def test_only_retryable_statuses_are_sent_again(
    collector: Collector, status: int, tries: int, reason: str
) -> None:
    """503 is retried; 400 is not, since the same request would fail again."""
    collector.status = status
    telemetry = Telemetry("orders", export=otlp(collector.url))
    telemetry.keep(a_span())
    await settled(telemetry, 1)
    assert collector.requests == tries
    assert exposed(telemetry)[dropped(reason)] == 1
    collector.status = 200
    await sent(telemetry)
    assert len(collector.spans) == 1


async def test_hanging_collector_does_not_delay_close(collector: Collector) -> None:
    """The part ends within its bound, and reports the number of dropped spans."""
    collector.delay = None
    batching = replace(BATCHING, post_s=0.05)
    telemetry = Telemetry("orders", export=otlp(collector.url, batching))
    async with asyncio.timeout(10):
        await sent(telemetry, 2)
    assert exposed(telemetry)[dropped("unreachable")] == 2


@pytest.mark.parametrize("collector_is", ["dead", "ill", "hanging"])
async def test_no_request_waits_for_a_collector(collector: Collector, collector_is: str) -> None:
    """Every request is answered, with all of them sampled; no more spans than the limit are in
    memory, those being sent included; the app ends within its bound, and each dropped span is
    counted.
    """
    requests, bound = 300, 64
    few = replace(BATCHING, queue_spans=bound, batch_spans=16, close_s=0.1)
    collector.status, collector.delay = 503, None if collector_is == "hanging" else 0.0
    app = FastAPI()
    app.get("/")(lambda: "here")
    endpoint = UNREACHABLE if collector_is == "dead" else collector.url
    telemetry = instrument(app, otlp_endpoint=endpoint, registry=CollectorRegistry(), batching=few)
    queue = telemetry._queue._run.queue  # type: ignore[union-attr]  # noqa: SLF001  # its size is what is asserted
    async with running(app) as url, ClientSession(url) as http, asyncio.timeout(60):
        for _ in range(requests):
            async with http.get("/") as answer:
                assert answer.status == 200
            assert len(queue) <= bound
        if collector_is == "hanging":
            assert len(queue) == bound
            assert exposed(telemetry) == {
                "borough_spans_exported_total": 0,
                dropped("queue_full"): requests - bound,
            }
        await asyncio.to_thread(telemetry.close)
    assert not queue
    spans = exposed(telemetry)
    assert spans.pop("borough_spans_exported_total") == 0
    assert sum(spans.values()) == requests
    assert spans[dropped("unreachable")] > 0


class Busy(OtlpExporter):
    """A span is added with each batch that is sent."""

    telemetry: Telemetry

    def send(self, *batch: Any) -> int:
        self.telemetry.keep(a_span())
        return super().send(*batch)


async def test_close_ends_while_spans_are_added(collector: Collector) -> None:
    """It sends the spans that were queued when it began."""
    exporter = Busy(collector.url, replace(BATCHING, wait_s=600))
    exporter.telemetry = Telemetry("orders", export=exporter)
    exporter.telemetry.keep(a_span())
    for times in (1, 2):
        async with asyncio.timeout(10):
            await asyncio.to_thread(exporter.telemetry.close)
        assert len(collector.spans) == times


async def test_invalid_headers_drop_spans_and_keep_the_thread(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error is counted; the log has it once, without the key."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret%0Akey")
    telemetry = Telemetry("orders", export=otlp(collector.url))
    for count in (1, 2, 3):
        telemetry.keep(a_span())
        await settled(telemetry, count)
    await asyncio.to_thread(telemetry.close)
    assert exposed(telemetry)[dropped("refused")] == 3
    logged = capsys.readouterr().out
    assert logged.count("spans are lost") == 1
    assert "ValueError" in logged
    assert "secret" not in logged


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://", "http://a:0"])
def test_invalid_endpoint_is_refused_by_name(endpoint: str) -> None:
    """`instrument` raises at once, instead of counting dropped spans later."""
    with pytest.raises(ValueError, match=re.escape(endpoint)):
        instrument(FastAPI(), otlp_endpoint=endpoint)


async def test_partial_success_is_counted_in_part() -> None:
    """200 with `partial_success`: the way of OTLP to report rejected spans."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    body = answer.SerializeToString()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        telemetry = Telemetry("orders", export=otlp(f"http://{host}:{port}"))
        await sent(telemetry, 5)
    assert exposed(telemetry) == {"borough_spans_exported_total": 3, dropped("refused"): 2}


async def test_spans_after_close_are_exported(collector: Collector) -> None:
    """An app whose lifespan runs twice exports twice."""
    telemetry = Telemetry("orders", export=otlp(collector.url))
    for times in (1, 2):
        await sent(telemetry)
        assert len(collector.spans) == times


async def test_forked_child_exports_its_own_spans_only(collector: Collector) -> None:
    """The thread of its parent is not there, and the queued spans are the parent's to send."""
    telemetry = Telemetry("orders", export=otlp(collector.url, replace(BATCHING, wait_s=600)))
    telemetry.keep(a_span())
    assert telemetry._queue is not None  # noqa: SLF001  # its hook is called as a fork would
    parents = telemetry._queue._run  # noqa: SLF001  # as above
    telemetry._queue.forked()  # noqa: SLF001  # as above
    await sent(telemetry)
    assert len(collector.spans) == 1
    assert len(parents.queue) == 1
    parents.closing.set()
    parents.wanted.set()
    await asyncio.to_thread(cast(Thread, parents.thread).join)


async def test_full_batch_is_sent_at_once(collector: Collector) -> None:
    """512 spans are sent at once; the others wait for the interval."""
    batching = replace(BATCHING, wait_s=600)
    telemetry = Telemetry("orders", export=otlp(collector.url, batching))
    for _ in range(batching.batch_spans + 1):
        telemetry.keep(a_span())
    await until(lambda: collector.requests > 0)
    await asyncio.to_thread(telemetry.close)
    assert len(collector.spans) == batching.batch_spans + 1


async def test_headers_of_the_environment_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collector with authentication needs a key in a header."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=open%20sesame")
    heads: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        await sent(Telemetry("orders", export=otlp(f"http://{host}:{port}/base/")))
    assert heads[0].startswith(b"POST /base/v1/traces HTTP/1.1\r\n")
    assert b"x-key: open sesame" in heads[0]


class Failing(OtlpExporter):
    """Every batch fails."""

    failure: Exception

    def send(self, *_: Any) -> int:
        raise self.failure


@pytest.mark.parametrize("failure", [Lost("refused", again=False), ZeroDivisionError("a bug")])
async def test_failed_export_drops_its_spans_and_keeps_the_thread(failure: Exception) -> None:
    """Whatever it raises, the thread exports the next batch."""
    exporter = Failing(UNREACHABLE, BATCHING)
    exporter.failure = failure
    telemetry = Telemetry("orders", export=exporter)
    for count in (1, 2):
        telemetry.keep(a_span())
        await settled(telemetry, count)
    await asyncio.to_thread(telemetry.close)
    assert exposed(telemetry)[dropped("refused")] == 2


def test_without_an_exporter_no_span_is_queued() -> None:
    """A part without an exporter keeps no span, and closes at once."""
    telemetry = Telemetry("orders")
    telemetry.keep(a_span())
    telemetry.close()
    assert dropped("queue_full") not in exposed(telemetry)
