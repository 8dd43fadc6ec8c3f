"""When is a call over the network repeated, and when does it end?"""

import asyncio

import pytest

from borough import deadline
from borough.errors import DeadlineExceeded, Unavailable
from borough.testing.servers import running
from borough.transport.resilience import RetryBudget
from peers import Dropping, Peer, Ping, Replica, asking, raw, served


async def test_idempotent_call_is_repeated_once_when_no_byte_came_back() -> None:
    """A connection that closes before the answer does not fail the call."""
    wire = Dropping(drops=1)
    async with raw(wire) as url, asking(url) as peer:
        assert (await peer.safe(Ping())).who == "late"
    assert wire.seen == 2


@pytest.mark.parametrize("method", ["safe", "look"])
async def test_second_failure_is_not_repeated(method: str) -> None:
    """A second failure is raised, not repeated, for POST and GET; its message has no address."""
    wire = Dropping(drops=9)
    async with raw(wire) as url, asking(url) as peer:
        with pytest.raises(Unavailable) as caught:
            await getattr(peer, method)(Ping())
    assert caught.value.detail == f"peer.{method} does not answer"
    assert wire.seen == 2


async def test_call_that_is_not_idempotent_is_never_repeated() -> None:
    """It is unknown whether it took effect."""
    wire = Dropping(drops=1)
    async with raw(wire) as url, asking(url) as peer:
        with pytest.raises(Unavailable, match=r"peer\.unsafe"):
            await peer.unsafe(Ping())
    assert wire.seen == 1


async def test_call_is_repeated_on_another_address() -> None:
    """With one replica gone, another one answers."""
    replica = Replica()
    async with (
        raw(Dropping(drops=99)) as gone,
        running(served(Peer, replica)) as url,
        asking(gone, url) as peer,
    ):
        answers = [(await peer.safe(Ping())).who for _ in range(10)]
    assert answers == ["one"] * 10


async def test_deadline_is_not_shortened_by_call_timeout() -> None:
    """`call_timeout` applies only to calls without a deadline."""
    replica = Replica()
    replica.hold.clear()
    async with running(served(Peer, replica)) as url, asking(url, call_timeout=0.01) as peer:
        with pytest.raises(DeadlineExceeded):
            await peer.safe(Ping())
        asyncio.get_running_loop().call_later(0.1, replica.hold.set)
        with deadline.within(10):
            assert (await peer.safe(Ping())).who == "one"


async def test_call_ends_with_its_deadline() -> None:
    """A call to a peer that stalls ends at the deadline; the outcome is unknown."""
    replica = Replica()
    replica.hold.clear()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        while not replica.calls:  # a caller that is slow itself misses its deadline before it calls
            with deadline.within(0.05), pytest.raises(DeadlineExceeded, match=r"peer\.safe"):
                await peer.safe(Ping())
        replica.hold.set()
    assert replica.calls == 1


async def test_no_call_begins_after_the_deadline() -> None:
    """It fails before a request is sent."""
    replica = Replica()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        with deadline.within(-1), pytest.raises(DeadlineExceeded):
            await peer.safe(Ping())
    assert replica.calls == 0


async def test_503_is_repeated_only_with_a_budget() -> None:
    """Between parts one failure is raised; at the gateway it is retried, while the budget lasts."""
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


async def test_slow_read_is_retried_at_the_gateway() -> None:
    """The first try of a read leaves time for the second."""
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
