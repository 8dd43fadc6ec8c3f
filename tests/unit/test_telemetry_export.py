"""What does a collector that is dead, slow or ill cost the part that exports to it?"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from borough.kit.telemetry import Telemetry, export, otlp
from borough.kit.telemetry.spans import Blueprint, Span
from borough_bill.collector import Collector

BLUEPRINT = Blueprint("GET /menu", "server", {})
DEAD = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become milliseconds: what is tested is the order of things."""
    monkeypatch.setattr(export, "PAUSES_S", (0.0, 0.001, 0.001))
    monkeypatch.setattr(export, "POST_S", 0.05)
    monkeypatch.setattr(export, "CLOSE_S", 2.0)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """One that is well."""
    async with Collector() as collector:
        yield collector


def a_span() -> Span:
    span = Span.root(1)
    span.finish(BLUEPRINT)
    return span


def told(telemetry: Telemetry) -> dict[str, float]:
    """What the part says of its spans."""
    lines = telemetry.exposition().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("borough_spans"))
    return {name: float(value) for name, value in pairs}


def dropped(reason: str) -> str:
    return f'borough_spans_dropped_total{{reason="{reason}"}}'


async def sent(telemetry: Telemetry, count: int = 1) -> None:
    for _ in range(count):
        telemetry.keep(a_span())
    await asyncio.to_thread(telemetry.close)


async def test_spans_arrive_with_whose_they_are(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, version, an id of the process, and whatever the environment says of it."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=orders-0")
    telemetry = Telemetry("orders", build={"version": "1.2"}, export=otlp(collector.url))
    await sent(telemetry, 3)
    resources = [span.resource for span in collector.spans]
    assert len(resources) == 3
    assert resources[0]["service.name"] == "orders"
    assert resources[0]["service.version"] == "1.2"
    assert resources[0]["service.instance.id"]
    assert resources[0]["k8s.pod.name"] == "orders-0"
    assert told(telemetry)["borough_spans_exported_total"] == 3


async def test_a_collector_that_is_away_costs_spans_and_says_so() -> None:
    """Nothing is raised and nothing kept; the loss is counted."""
    telemetry = Telemetry("orders", export=otlp(DEAD))
    await sent(telemetry, 5)
    assert told(telemetry)[dropped("unreachable")] == 5


@pytest.mark.parametrize(
    ("status", "tries", "reason"), [(503, 3, "unreachable"), (400, 1, "refused")]
)
async def test_only_what_may_get_better_is_sent_again(
    collector: Collector, status: int, tries: int, reason: str
) -> None:
    """503 is worth some tries; a request that is wrong today is wrong tomorrow."""
    collector.status = status
    telemetry = Telemetry("orders", export=otlp(collector.url))
    telemetry.keep(a_span())
    await asyncio.to_thread(telemetry.flush)
    assert collector.requests == tries
    assert told(telemetry)[dropped(reason)] == 1
    collector.status = 200
    await sent(telemetry)
    assert len(collector.spans) == 1


async def test_a_collector_that_hangs_holds_up_no_end(collector: Collector) -> None:
    """The part ends within its bound, and says what was lost."""
    collector.delay = None
    telemetry = Telemetry("orders", export=otlp(collector.url))
    async with asyncio.timeout(10):
        await sent(telemetry, 2)
    assert told(telemetry)[dropped("unreachable")] == 2


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long nobody takes them, so many spans are in memory and no more."""
    telemetry = Telemetry("orders", export=otlp(DEAD))
    monkeypatch.setattr(telemetry._exporting, "_start", lambda: None)  # noqa: SLF001  # nobody takes them
    for _ in range(export.BOUND + 7):
        telemetry.keep(a_span())
    queue = telemetry._exporting  # noqa: SLF001  # its size is the law
    assert queue is not None
    assert len(queue._queue) == export.BOUND  # noqa: SLF001  # as above
    assert told(telemetry)[dropped("queue_full")] == 7


async def test_a_batch_does_not_wait_for_its_time(collector: Collector) -> None:
    """512 spans go at once; the rest waits for company."""
    telemetry = Telemetry("orders", export=otlp(collector.url))
    for _ in range(export.BATCH + 1):
        telemetry.keep(a_span())
    async with asyncio.timeout(export.EVERY_S):
        while not collector.requests:
            await asyncio.sleep(0.001)
    await asyncio.to_thread(telemetry.close)
    assert len(collector.spans) == export.BATCH + 1


async def test_headers_of_the_environment_reach_the_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collector behind a key needs the key."""
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


class Failing(SpanExporter):
    """An exporter somebody else wrote."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.failure is not None:
            raise self.failure
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("failure", [None, ZeroDivisionError("a bug of theirs")])
async def test_an_exporter_that_fails_loses_its_spans_and_no_thread(
    failure: Exception | None,
) -> None:
    """Whatever it does, the queue goes on."""
    telemetry = Telemetry("orders", export=Failing(failure))
    for _ in range(2):
        telemetry.keep(a_span())
        await asyncio.to_thread(telemetry.flush)
    await asyncio.to_thread(telemetry.close)
    assert told(telemetry)[dropped("refused")] == 2


def test_without_an_exporter_nothing_waits() -> None:
    """A part that exports nothing keeps nothing, and closes at once."""
    telemetry = Telemetry("orders")
    telemetry.keep(a_span())
    telemetry.flush()
    telemetry.close()
    assert dropped("queue_full") not in told(telemetry)
