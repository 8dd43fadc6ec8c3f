"""Does the collector decode what the exporter sends, and can it refuse and hang on demand?"""

import asyncio
import gzip
import json
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from borough_bill.targets.collector import (
    PROTOBUF,
    BrokenSpans,
    Span,
    decode,
    read_spans,
)
from borough_bill.targets.collector import Link as Cause
from collector import Collector

TRACE, CAUSE = 0xA << 124, 0xB << 124
RESOURCE = Resource({"service.name": "orders"})


def context(span: int, trace: int = TRACE) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


CHILD = ReadableSpan(
    "payments.charge",
    context=context(2),
    parent=context(1),
    resource=RESOURCE,
    kind=SpanKind.CLIENT,
    attributes={"a": "text", "b": True, "c": -3, "d": 0.5, "e": ("x", "y")},
    links=(Link(context(9, CAUSE)),),
    status=Status(StatusCode.ERROR, "refused"),
    start_time=10**18,
    end_time=10**18 + 5,
)
ROOT = ReadableSpan("POST /v1/orders", context=context(1), start_time=1, end_time=2)
BODY = encode_spans([CHILD, ROOT]).SerializeToString()


def export(url: str, compression: Compression) -> SpanExportResult:
    """Send both spans with the official exporter. Blocks."""
    exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=compression)
    try:
        return exporter.export([CHILD, ROOT])
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]  # the library's omission


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_span_is_equal_after_export(compression: Compression) -> None:
    """Every field survives the official exporter, compressed or not."""
    async with Collector() as collector:
        sent = await asyncio.to_thread(export, collector.url, compression)
        assert sent is SpanExportResult.SUCCESS
        by_name = {span.name: span for span in collector.spans}
    assert by_name["payments.charge"] == Span(
        trace_id="a" + "0" * 31,
        span_id="0" * 15 + "2",
        parent_id="0" * 15 + "1",
        links=(Cause("b" + "0" * 31, "0" * 15 + "9"),),
        name="payments.charge",
        kind="client",
        start_ns=10**18,
        end_ns=10**18 + 5,
        attributes={"a": "text", "b": True, "c": -3, "d": 0.5, "e": ("x", "y")},
        resource={"service.name": "orders"},
        status="error",
    )
    root = by_name["POST /v1/orders"]
    assert (root.parent_id, root.kind, root.status) == ("", "internal", "unset")


async def post(url: str, body: bytes, content_type: str = PROTOBUF, encoding: str = "") -> int:
    """The status of one request."""
    headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    async with (
        ClientSession() as http,
        http.post(f"{url}/v1/traces", data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_refused_spans_are_counted_and_not_kept() -> None:
    """A collector that answers 503 has no spans, and counts the requests."""
    async with Collector(status=503) as collector:
        assert await post(collector.url, BODY) == 503
        assert (collector.spans, collector.requests) == ([], 1)
        collector.status = 200
        assert await post(collector.url, gzip.compress(BODY), encoding="gzip") == 200
        assert len(collector.spans) == 2


async def test_collector_that_hangs_can_be_closed() -> None:
    """The request gets no answer, and closing the collector does not wait for it."""
    async with Collector(delay=None) as collector:
        asking = asyncio.create_task(post(collector.url, BODY))
        while not collector.requests:
            await asyncio.sleep(0)
        assert not asking.done()
    with pytest.raises(Exception):  # noqa: B017, PT011  # any error of the client
        await asking
    assert collector.bodies == []


async def test_json_is_refused_with_415() -> None:
    """OTLP as JSON is not supported."""
    async with Collector() as collector:
        assert await post(collector.url, b"{}", "application/json") == 415
    assert collector.bodies == []


def test_bytes_that_are_no_request_are_refused() -> None:
    """They are not read as a request without spans."""
    with pytest.raises(BrokenSpans, match="5 bytes are not an OTLP request"):
        list(decode(b"hello"))


async def test_process_writes_spans_in_order_of_arrival(tmp_path: Path) -> None:
    """Bodies sent to the process are in its file, as spans, in order."""
    file = tmp_path / "spans"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.targets.collector", "--port", "0", "--keep", str(file),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip  # the command on one line, as it is typed
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    for _ in range(2):
        assert await post(f"http://127.0.0.1:{port}", BODY) == 200
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert read_spans(file) == [*decode(BODY), *decode(BODY)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\0\0", "cut short: the body at byte 0"),
        (len(BODY).to_bytes(4, "big") + BODY + b"\0\0\0\x09short", "cut short: the body at byte"),
        (b"\0\0\0\x05hello", "the body at byte 0: 5 bytes are not an OTLP request"),
    ],
)
def test_broken_file_is_refused_by_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    """The message has the file and the position."""
    file = tmp_path / "spans"
    file.write_bytes(content)
    with pytest.raises(BrokenSpans, match=complaint) as error:
        read_spans(file)
    assert str(file) in str(error.value)
