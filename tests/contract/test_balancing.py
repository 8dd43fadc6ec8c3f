"""Do new replicas get their share of calls, and do leaving ones end without failed calls?"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import pytest

from borough.capability import Capability, Message, post
from borough.errors import Unavailable
from borough.serving.listener import Connections
from borough.testing.clock import ManualClock
from borough.testing.servers import listen, running
from borough.transport.addresses import Addresses
from borough.transport.calls import remote
from borough.transport.client import Http
from borough.transport.wire import Pool
from borough_telemetry import Telemetry
from peers import served
from serving import PATIENCE_S

LOADS = 100
"""The maximal number of loads until the calls are balanced; two or three suffice."""


class Ping(Message):
    """A question."""


class Pong(Message):
    """An answer."""

    who: str


@dataclass
class Replica(Capability, path="/peer"):
    """Answers its name."""

    who: str

    @post("/safe", idempotent=True)
    async def safe(self, request: Ping) -> Pong:
        """Return the name of the replica."""
        return Pong(who=self.who)


async def test_new_replicas_get_their_share() -> None:
    """Two replicas become four under steady load: each of the new ones soon gets its share. As
    behind a headless Service: one name, one port, a growing list of addresses.
    """
    hosts = ["127.0.0.1", "127.0.0.2"]

    async def lookup(host: str, port: int) -> tuple[str, ...]:
        return tuple(hosts)

    replicas = {f"127.0.0.{n}": Replica(who=f"127.0.0.{n}") for n in range(1, 5)}
    async with AsyncExitStack() as stack:
        port = 0
        for host, replica in replicas.items():
            listener = listen(host, port)
            port = listener.getsockname()[1]
            await stack.enter_async_context(running(served(Replica, replica), listener))
        wire = await stack.enter_async_context(Pool())
        addresses = Addresses("peer", (f"http://peer:{port}",), interval=0.01, lookup=lookup)
        transport = Http("peer", addresses, wire, Telemetry("caller"), call_timeout=600)
        peer = remote(Replica, transport)

        before = await load(peer)
        assert set(before) == {"127.0.0.1", "127.0.0.2"}
        hosts += ["127.0.0.3", "127.0.0.4"]
        assert await comes(lambda seen: "127.0.0.4" in seen, peer)
        after = await load(peer)
        assert min(after.values()) > after.total() / 4 * 0.6, after
        assert max(after.values()) < after.total() / 4 * 1.5, after

        hosts[:] = ["127.0.0.3"]
        assert await comes(lambda seen: len(seen) == 1, peer)
        assert set(await load(peer)) == {"127.0.0.3"}


async def test_addresses_that_refuse_connections_are_looked_up_at_once() -> None:
    """All replicas have been replaced since the last look-up, and the next would be in an hour."""
    hosts = ["127.0.0.8"]

    async def lookup(host: str, port: int) -> tuple[str, ...]:
        return tuple(hosts)

    listener = listen("127.0.0.9")
    port = listener.getsockname()[1]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(served(Replica, Replica(who="new")), listener))
        wire = await stack.enter_async_context(Pool())
        addresses = Addresses("peer", (f"http://peer:{port}",), interval=3_600, lookup=lookup)
        transport = Http("peer", addresses, wire, Telemetry("caller"), call_timeout=5)
        peer = remote(Replica, transport)
        with pytest.raises(Unavailable):
            await peer.safe(Ping())

        hosts[:] = ["127.0.0.9"]
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Unavailable):
                    assert (await peer.safe(Ping())).who == "new"
                    break


async def test_new_replica_behind_one_address_gets_its_share_as_connections_end() -> None:
    """Where a name has one address, as a Service does, kept connections leave a new replica idle:
    only their maximal age moves the load.
    """
    clock = ManualClock()
    async with AsyncExitStack() as stack:

        async def join(who: str, listener: socket.socket) -> str:
            app = served(Replica, Replica(who=who))
            aging = Connections(app, max_age=30, leaving=lambda: False, now=clock.monotonic)
            return await stack.enter_async_context(running(aging, listener))

        first = share(port=0)
        url = await join("old", first)
        wire = await stack.enter_async_context(Pool())
        addresses = Addresses("peer", (url,), interval=60)
        peer = remote(Replica, Http("peer", addresses, wire, Telemetry("caller"), call_timeout=600))

        assert set(await load(peer)) == {"old"}
        await join("new", share(first.getsockname()[1]))
        assert set(await load(peer)) == {"old"}, "its connections are kept, and it keeps them"

        def shared(seen: Counter[str]) -> bool:
            clock.advance(30)  # the kernel chooses the listener of each connection at random
            return seen["new"] >= seen.total() / 4

        assert await comes(shared, peer)


def share(port: int) -> socket.socket:
    """A socket with SO_REUSEPORT: the kernel distributes connections among the listeners of its
    port.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    return listener


async def comes(balanced: Callable[[Counter[str]], bool], peer: Replica) -> bool:
    """Whether the load soon meets the condition."""
    for _ in range(LOADS):
        if balanced(await load(peer)):
            return True
    return False


async def load(peer: Replica, calls: int = 400, at_once: int = 16) -> Counter[str]:
    """Make so many calls, so many concurrently; return the number by replica."""
    seen: Counter[str] = Counter()

    async def worker() -> None:
        for _ in range(calls // at_once):
            seen[(await peer.safe(Ping())).who] += 1

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return seen
