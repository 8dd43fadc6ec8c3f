"""What does the network transport do when a peer fails, stalls, moves or multiplies?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from borough.contracts.capability import Capability, Message, post, read
from borough.contracts.errors import (
    BoroughError,
    Conflict,
    DeadlineExceeded,
    DeliveryFailed,
    Internal,
    Unavailable,
)
from borough.kit import deadline
from borough.kit.addresses import Addresses
from borough.kit.client import Http, session
from borough.kit.resilience import FAILURES, RetryBudget
from borough.kit.telemetry import Telemetry
from borough.kit.transport import remote
from borough.testing.servers import running, served

Wire = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Ping(Message):
    """A question."""

    n: int = 1


class Pong(Message):
    """An answer."""

    who: str


class Peer(Capability, Protocol, path="/peer"):
    """What the tests ask."""

    @post("/safe", idempotent=True)
    async def safe(self, request: Ping) -> Pong:
        """May be repeated."""
        ...

    @post("/unsafe", idempotent=False)
    async def unsafe(self, request: Ping) -> Pong:
        """Must not be repeated."""
        ...

    @read("/look")
    async def look(self, request: Ping) -> Pong:
        """A read."""
        ...


class Replica(Peer):
    """Answers its name, and counts."""

    def __init__(self, who: str = "one") -> None:
        self.who = who
        self.calls = 0
        self.fails: list[BoroughError] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def safe(self, request: Ping) -> Pong:
        self.calls += 1
        await self.hold.wait()
        if self.fails:
            raise self.fails.pop(0)
        return Pong(who=self.who)

    unsafe = safe
    look = safe


@asynccontextmanager
async def asking(*urls: str, retries: RetryBudget | None = None) -> AsyncIterator[Peer]:
    async with session() as http:
        addresses = Addresses("peer", urls, interval=60)
        telemetry = Telemetry("caller", log_level="error")
        yield remote(
            Peer,
            Http(
                "peer", addresses, http, telemetry,
                call_timeout=5, read_timeout=0.2, retries=retries,
            ),
        )  # fmt: skip  # one call
        await addresses.close()


@asynccontextmanager
async def raw(wire: Wire) -> AsyncIterator[str]:
    """A server of bare bytes, for what no proper server does."""
    server = await asyncio.start_server(wire, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Dropping:
    """Hangs up on the first so many requests without a byte; counts all."""

    def __init__(self, drops: int, answer: bytes = b'{"who":"late"}') -> None:
        self.drops, self.answer, self.seen = drops, answer, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            length = 0
            while (line := await reader.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            await reader.readexactly(length)
            self.seen += 1
            if self.seen <= self.drops:
                break
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
            writer.write(head + str(len(self.answer)).encode() + b"\r\n\r\n" + self.answer)
            await writer.drain()
        writer.close()


async def test_an_idempotent_call_is_repeated_once_when_no_byte_came_back() -> None:
    """A connection that dies before the answer costs the caller nothing."""
    wire = Dropping(drops=1)
    async with raw(wire) as url, asking(url) as peer:
        assert (await peer.safe(Ping())).who == "late"
    assert wire.seen == 2


async def test_once_means_once() -> None:
    """A second failure is told, not repeated."""
    wire = Dropping(drops=9)
    async with raw(wire) as url, asking(url) as peer:
        with pytest.raises(Unavailable, match=r"peer\.safe"):
            await peer.safe(Ping())
    assert wire.seen == 2


async def test_a_call_that_is_not_idempotent_is_never_repeated() -> None:
    """Nobody knows whether it took effect."""
    wire = Dropping(drops=1)
    async with raw(wire) as url, asking(url) as peer:
        with pytest.raises(Unavailable, match=r"peer\.unsafe"):
            await peer.unsafe(Ping())
    assert wire.seen == 1


async def test_a_call_is_repeated_on_another_address() -> None:
    """With one replica gone, whoever is left answers."""
    replica = Replica()
    async with (
        raw(Dropping(drops=99)) as gone,
        running(served(Peer, replica)) as url,
        asking(gone, url) as peer,
    ):
        answers = [(await peer.safe(Ping())).who for _ in range(10)]
    assert answers == ["one"] * 10


async def test_an_unreachable_peer_is_named() -> None:
    """The sentence says who does not answer."""
    async with asking("http://127.0.0.1:1") as peer:
        with pytest.raises(Unavailable, match=r"peer\.safe does not answer"):
            await peer.safe(Ping())


async def test_a_name_that_does_not_resolve_is_named() -> None:
    """A peer without an address is unavailable, and the name is in the sentence."""
    async with asking("http://no-such-host.invalid:80") as peer:
        with pytest.raises(Unavailable, match=r"no-such-host\.invalid:80"):
            await peer.safe(Ping())


async def test_a_call_ends_with_its_deadline() -> None:
    """A peer that stalls costs no more than the time there is; the outcome is unknown."""
    replica = Replica()
    replica.hold.clear()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        with deadline.within(0.05), pytest.raises(DeadlineExceeded, match=r"peer\.safe"):
            await peer.safe(Ping())
        replica.hold.set()
    assert replica.calls == 1


async def test_no_call_begins_after_the_deadline() -> None:
    """What is spent is spent."""
    replica = Replica()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        with deadline.within(-1), pytest.raises(DeadlineExceeded):
            await peer.safe(Ping())
    assert replica.calls == 0


async def test_a_503_is_repeated_only_with_a_budget() -> None:
    """Inside, one failure is told; at the gateway it is tried again, while the budget lasts."""
    replica = Replica()
    async with running(served(Peer, replica)) as url:
        async with asking(url) as inner:
            replica.fails = [Unavailable("busy")]
            with pytest.raises(Unavailable, match="busy"):
                await inner.safe(Ping())
        async with asking(url, retries=RetryBudget(share=1)) as door:
            replica.fails = [Unavailable("busy")]
            assert (await door.safe(Ping())).who == "one"
        async with asking(url, retries=RetryBudget(share=0)) as poor:
            replica.fails = [Unavailable("busy")]
            with pytest.raises(Unavailable, match="busy"):
                await poor.safe(Ping())


async def test_a_slow_read_is_tried_again_at_the_gateway() -> None:
    """One try of a read leaves time for the second."""
    replica = Replica()
    replica.hold.clear()
    async with (
        running(served(Peer, replica)) as url,
        asking(url, retries=RetryBudget(share=1)) as door,
    ):
        asked = asyncio.create_task(door.look(Ping()))
        while replica.calls < 2:
            await asyncio.sleep(0)
        replica.hold.set()
        assert (await asked).who == "one"


async def test_the_breaker_opens_on_failures_and_never_on_refusals() -> None:
    """Answers below 500, and a delivery that could not be handled, say that the peer is there."""
    replica = Replica()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        for error, kind in ((Conflict("no"), Conflict), (DeliveryFailed("no"), DeliveryFailed)):
            for _ in range(3 * FAILURES):
                replica.fails = [error]
                with pytest.raises(kind):
                    await peer.safe(Ping())
        for _ in range(FAILURES):
            replica.fails = [Internal("broken")]
            with pytest.raises(Internal):
                await peer.safe(Ping())
        calls = replica.calls
        with pytest.raises(Unavailable, match="left alone"):
            await peer.safe(Ping())
        assert replica.calls == calls


@pytest.mark.parametrize("answer", [b"{", b'{"whom":"x"}', b"[]"])
async def test_an_answer_that_is_no_answer_is_internal(answer: bytes) -> None:
    """Rubbish from a peer is a defect of ours, named by the call."""
    async with raw(Dropping(0, answer)) as url, asking(url) as peer:
        with pytest.raises(Internal, match=r"peer\.safe answered what is no Pong"):
            await peer.safe(Ping())
