"""What does a caller record of a hop, and is the time of the hop separate from that of the work?"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from borough.errors import Conflict, Unavailable
from borough.serving.web import make_app
from borough.testing.servers import running
from borough.transport.addresses import Addresses
from borough.transport.calls import local, mount, remote
from borough.transport.client import Http
from borough.transport.wire import Pool
from borough_telemetry import Telemetry
from peers import Dropping, Peer, Ping, Replica, raw
from recorded import RecordedSpans

NAMES = '{peer="peer",method="safe"}'


class CallerAndPeer:
    """A caller with telemetry of its own, and the replica it calls."""

    def __init__(self) -> None:
        self.exporter = RecordedSpans()
        self.caller = Telemetry("caller", export=self.exporter, log_level="critical")
        self.replica = Replica()

    async def ask(self, url: str, times: int = 1) -> None:
        async with Pool() as pool:
            addresses = Addresses("peer", (url,), interval=60)
            peer = remote(Peer, Http("peer", addresses, pool, self.caller, call_timeout=600))
            for _ in range(times):
                await peer.safe(Ping())
            await addresses.close()

    def served(self) -> object:
        """The app as a part serves it, telemetry included."""
        callee = Telemetry("callee", export=self.exporter, log_level="critical")
        app = make_app("callee", telemetry=callee, max_body_bytes=1_024, internal=True)
        mount(app, Peer, self.replica)
        self.callee = callee
        return callee.middleware(app, capability="peer", trusted=True)

    async def spans(self) -> list[ReadableSpan]:
        for telemetry in (self.caller, getattr(self, "callee", self.caller)):
            await asyncio.to_thread(telemetry.close)
        return list(self.exporter.get_finished_spans())

    def exposed(self, name: str) -> dict[str, float]:
        lines = self.caller.exposition().decode().splitlines()
        found = (line.partition(" # ")[0] for line in lines if line.startswith(name))
        pairs = (line.rsplit(" ", 1) for line in found)
        return {labels.removeprefix(name): float(value) for labels, value in pairs}


@pytest.fixture
async def pair() -> AsyncIterator[CallerAndPeer]:
    """A caller and a peer without observations."""
    pair = CallerAndPeer()
    yield pair
    for telemetry in (pair.caller, getattr(pair, "callee", pair.caller)):
        await asyncio.to_thread(telemetry.close)


async def test_client_duration_exceeds_server_time_exceeds_handler_time(
    pair: CallerAndPeer,
) -> None:
    """By the caller's clock the call took at least the server time that the callee reports, and
    that is at least its handler time.
    """
    async with running(pair.served()) as url:
        await pair.ask(url, times=5)
    (whole,) = pair.exposed("http_client_request_duration_seconds_sum").values()
    server = pair.exposed("borough_hop_server_seconds_total")
    handler = pair.exposed("borough_hop_handler_seconds_total")
    assert set(server) == set(handler) == {NAMES}
    assert whole > server[NAMES] > handler[NAMES] > 0


async def test_answer_without_server_timing_adds_nothing(pair: CallerAndPeer) -> None:
    """A proxy or another implementation answers without the header, or with other metrics in it."""
    async with raw(Dropping(0)) as url:
        await pair.ask(url)
    assert pair.exposed("borough_hop_server_seconds_total") == {NAMES: 0}


@pytest.mark.parametrize(
    "header",
    [
        b"cache;desc=hit",
        b"server;dur=soon",
        b"",
        b"upstream-server;dur=7",
        b"server;dur=" + b"9" * 310,
    ],
)
async def test_other_server_timing_is_ignored(pair: CallerAndPeer, header: bytes) -> None:
    """A metric of another name in the header is not read as a time."""
    with pair.caller.client_call(Peer.endpoints["safe"]) as call:
        call.status, call.server_timing = 200, header
    assert pair.exposed("borough_hop_server_seconds_total") == {NAMES: 0}


async def test_hop_is_one_span_on_each_side(pair: CallerAndPeer) -> None:
    """The client's is the parent of the server's, and both have the stable HTTP attributes."""
    async with running(pair.served()) as url:
        await pair.ask(url)
    by_kind = {span.kind: span for span in await pair.spans()}
    client, server = by_kind[SpanKind.CLIENT], by_kind[SpanKind.SERVER]
    assert client.context is not None
    assert server.parent is not None
    assert server.parent.span_id == client.context.span_id
    assert server.parent.is_remote
    assert (server.name, client.name) == ("POST /peer/safe", "peer.safe")
    assert dict(client.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "borough.peer": "peer",
        "borough.method": "safe",
        "url.full": f"{url}/peer/safe",
    }


async def test_error_of_the_peer_is_counted_by_its_status(pair: CallerAndPeer) -> None:
    """409 is an answer: the span has it with its message; the metric counts it by status."""
    pair.replica.fails = [Conflict("taken")]
    async with running(pair.served()) as url:
        with pytest.raises(Conflict):
            await pair.ask(url)
    (client,) = [span for span in await pair.spans() if span.kind is SpanKind.CLIENT]
    assert client.status.status_code is StatusCode.ERROR
    assert client.status.description == "taken"
    assert (client.attributes or {})["error.type"] == "409"
    counts = pair.exposed("http_client_request_duration_seconds_count")
    assert [labels for labels in counts if 'status_code="409"' in labels]


async def test_call_without_an_answer_has_status_0(pair: CallerAndPeer) -> None:
    """Each of the two tries is recorded, and neither has a status."""
    with pytest.raises(Unavailable):
        await pair.ask("http://127.0.0.1:1")
    counts = pair.exposed("http_client_request_duration_seconds_count")
    assert {'status_code="0"' in labels: count for labels, count in counts.items()} == {True: 2}
    for span in await pair.spans():
        assert "http.response.status_code" not in (span.attributes or {})
        assert (span.attributes or {})["error.type"] == "NotSent"


async def test_unsampled_trace_is_passed_on(pair: CallerAndPeer) -> None:
    """The next part needs the flag in order not to record, and the trace id for its log lines."""
    heads: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"who":"raw"}')
        await reader.read()
        writer.close()

    pair.caller.ratio = 0
    async with raw(listen) as url:
        with pair.caller.background("work", "peer", causes=()):
            above = pair.caller.traceparent()
            await pair.ask(url)
    assert above is not None
    assert above.endswith("-00")
    assert f"traceparent: {above}\r\n".encode() in heads[0]
    assert await pair.spans() == []


async def test_local_call_has_a_span_only_where_the_request_is_sampled(
    pair: CallerAndPeer,
) -> None:
    """One internal span, child of the current one; none otherwise, and the same answer."""
    peer = local(Peer, pair.replica, pair.caller)
    assert (await peer.safe(Ping())).who == "one"
    with pair.caller.background("work", "caller", causes=()):
        assert (await peer.safe(Ping())).who == "one"
    step, work = await pair.spans()
    assert (step.name, step.kind) == ("peer.safe", SpanKind.INTERNAL)
    assert step.parent is not None
    assert work.context is not None
    assert step.parent.span_id == work.context.span_id
