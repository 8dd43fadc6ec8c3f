"""A peer to ask over the network, and servers that do what no proper server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fastapi import FastAPI

from borough.capability import Capability, Message, post, read
from borough.errors import BoroughError
from borough.serving.web import make_app
from borough.transport.addresses import Addresses
from borough.transport.calls import mount, remote
from borough.transport.client import Http
from borough.transport.resilience import NO_RETRIES, RetryBudget
from borough.transport.wire import Pool
from borough_telemetry import Telemetry

C = TypeVar("C", bound=Capability)
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


def _let_through() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Replica(Peer):
    """Answers its name, and counts; fails on request, and waits while held."""

    who: str = "one"
    calls: int = 0
    fails: list[BoroughError] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=_let_through)

    async def safe(self, request: Ping) -> Pong:
        self.calls += 1
        await self.hold.wait()
        if self.fails:
            raise self.fails.pop(0)
        return Pong(who=self.who)

    unsafe = safe
    look = safe


@asynccontextmanager
async def asking(
    *urls: str, retries: RetryBudget = NO_RETRIES, call_timeout: float = 600
) -> AsyncIterator[Peer]:
    """A caller of the peer at these addresses."""
    async with Pool() as wire:
        addresses = Addresses("peer", urls, interval=60)
        telemetry = Telemetry("caller", log_level="error")
        yield remote(
            Peer,
            Http(
                "peer", addresses, wire, telemetry,
                call_timeout=call_timeout, read_timeout=0.2, retries=retries,
            ),
        )  # fmt: skip  # one call
        await addresses.close()


@asynccontextmanager
async def raw(wire: Wire) -> AsyncIterator[str]:
    """A server of bare bytes, for what no proper server does."""
    handlers: set[asyncio.Future[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.ensure_future(wire(reader, writer))
        handlers.add(handler)
        await handler

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*handlers)  # they end with their connections


def served(contract: type[C], service: C) -> FastAPI:
    """The internal app of a part that hosts this one service."""
    app = make_app(
        contract.name,
        telemetry=Telemetry(contract.name, log_level="critical"),
        max_body_bytes=65_536,
        internal=True,
    )
    mount(app, contract, service)
    return app


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
