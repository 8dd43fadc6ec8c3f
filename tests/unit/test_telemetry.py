"""Is a request sampled, and which trace is it in?"""

import asyncio

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from starlette.types import Receive, Scope, Send

from borough.serving.web import make_app
from borough_telemetry import Telemetry
from borough_telemetry.part import Middleware
from borough_telemetry.routes import Templates
from recorded import RecordedSpans
from serving import hello as plain
from shop.door import visiting

TRACE, SPAN = "a" * 32, "b" * 16
WANTED, UNWANTED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


async def spans_of(traceparent: str, *, ratio: float, trusted: bool) -> tuple[ReadableSpan, ...]:
    """The spans exported of one request with this traceparent."""
    exporter = RecordedSpans()
    telemetry = Telemetry("test", ratio=ratio, export=exporter)
    app = make_app("test", telemetry=telemetry, max_body_bytes=1_024)
    async with visiting(telemetry.middleware(app, capability="test", trusted=trusted)) as visitor:
        await visitor.ask("GET", "/", headers={"traceparent": traceparent})
    await asyncio.to_thread(telemetry.close)
    return exporter.get_finished_spans()


async def test_untrusted_flag_does_not_sample_a_request() -> None:
    """At the door the ratio decides, whatever the caller's flag is."""
    assert await spans_of(WANTED, ratio=0, trusted=False) == ()


@pytest.mark.parametrize("traceparent", [WANTED, UNWANTED])
async def test_untrusted_trace_is_linked(
    traceparent: str,
) -> None:
    """A caller can neither suppress the span of a request nor add spans to the trace of another."""
    (span,) = await spans_of(traceparent, ratio=1, trusted=False)
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" != TRACE
    (link,) = span.links
    assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" == f"{TRACE}-{SPAN}"


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-{SPAN}-01"])
async def test_invalid_traceparent_is_not_linked(traceparent: str) -> None:
    """A traceparent that cannot be parsed is ignored."""
    (span,) = await spans_of(traceparent, ratio=1, trusted=False)
    assert list(span.links) == []


async def test_trusted_flag_decides_and_its_trace_continues() -> None:
    """Between parts the flag holds, set or not, and the trace continues."""
    assert await spans_of(UNWANTED, ratio=1, trusted=True) == ()
    (span,) = await spans_of(WANTED, ratio=0, trusted=True)
    assert f"{span.context.trace_id:032x}" == TRACE


async def test_two_traceparents_count_as_none() -> None:
    """It is ambiguous which of them is meant."""
    exporter = RecordedSpans()
    telemetry = Telemetry("test", export=exporter)
    middleware = Middleware(plain, telemetry, "test", trusted=True, templates=Templates(plain))
    head = (b"traceparent", WANTED.encode())
    assert middleware.span_of([head]).trace_id == TRACE
    assert middleware.span_of([head, head]).trace_id != TRACE
    await asyncio.to_thread(telemetry.close)


async def test_without_an_exporter_flags_are_passed_on_and_nothing_is_recorded() -> None:
    """No exemplar refers to a trace that was not exported; the next part still gets the caller's
    flag, and its spans are children of the caller's.
    """
    heard: list[str | None] = []
    telemetry = Telemetry("test", ratio=1.0)

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(telemetry.traceparent())
        await ours(scope, receive, send)

    ours = make_app("test", telemetry=telemetry, max_body_bytes=1_024)
    app = telemetry.middleware(listening, capability="test", trusted=True)
    async with visiting(app) as visitor:
        await visitor.ask("GET", "/", headers={"traceparent": WANTED})
        await visitor.ask("GET", "/", headers={"traceparent": UNWANTED})
        await visitor.ask("GET", "/")
    assert heard[0] == WANTED
    assert all(header is not None and header.endswith("-00") for header in heard[1:])
    assert b"trace_id=" not in telemetry.exposition()
