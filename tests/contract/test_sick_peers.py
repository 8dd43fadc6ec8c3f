"""What is the outcome of calls to a peer that is absent, failing, silent or invalid?"""

import asyncio
import contextlib
import socket

import pytest

from borough import deadline
from borough.errors import Conflict, DeadlineExceeded, Internal, Unavailable
from borough.testing.servers import listen, running, url_of
from borough.transport.resilience import FAILURES
from borough_shop.errors import Abandoned
from peers import Dropping, Peer, Ping, Pong, Replica, asking, raw, served


async def test_unreachable_peer_is_named() -> None:
    """The error has the name of the peer that does not answer."""
    async with asking("http://127.0.0.1:1") as peer:
        with pytest.raises(Unavailable, match=r"peer\.safe does not answer"):
            await peer.safe(Ping())


async def test_peer_without_an_address_is_named() -> None:
    """A name that does not resolve has no replica to call."""
    async with asking("http://no-such-host.invalid:80") as peer:
        with pytest.raises(Unavailable, match="peer has no address"):
            await peer.safe(Ping())


@pytest.mark.parametrize("gone", ["http://no-such-host.invalid:80", f"http://{'x' * 70}.invalid:1"])
async def test_name_that_does_not_resolve_leaves_the_others(gone: str) -> None:
    """One replica's name is gone from the resolver: the others are called as before."""
    async with running(served(Peer, Replica())) as url, asking(gone, url) as peer:
        assert (await peer.safe(Ping())).who == "one"


async def test_failing_replica_does_not_fail_the_peer() -> None:
    """A replica that fails fast has few calls in flight; it is avoided while another one
    succeeds.
    """
    sick, well = Replica("sick"), Replica("well")
    sick.fails = [Unavailable("ill")] * 100
    async with (
        running(served(Peer, sick)) as a,
        running(served(Peer, well)) as b,
        asking(a, b) as peer,
    ):
        answers = await asyncio.gather(
            *(peer.safe(Ping()) for _ in range(2)), return_exceptions=True
        )
        answers += [await peer.safe(Ping()) for _ in range(20)]
    assert sick.calls <= 2
    assert answers.count(Pong(who="well")) >= 20


async def test_replica_without_an_answer_to_connect_costs_no_deadline() -> None:
    """A machine that is down does not refuse, it is silent: the call goes on to the next
    address.
    """
    with listen() as silent, contextlib.ExitStack() as clients:
        silent.listen(0)
        for _ in range(
            3
        ):  # a full backlog drops further connections, as a machine that is down would
            waiting = clients.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(silent.getsockname())
        async with running(served(Peer, Replica())) as url, asking(url_of(silent), url) as peer:
            with deadline.within(600):
                answers = [(await peer.safe(Ping())).who for _ in range(12)]
    assert answers == ["one"] * 12


async def test_missed_short_deadlines_do_not_open_the_breaker() -> None:
    """A call with too little time is no evidence about the peer, and must not fail the calls of
    others.
    """
    replica = Replica()
    replica.hold.clear()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        for _ in range(3 * FAILURES):
            with deadline.within(0.005), pytest.raises(DeadlineExceeded):
                await peer.safe(Ping())
        replica.hold.set()
        assert (await peer.safe(Ping())).who == "one"


async def test_breaker_opens_on_failures_and_never_on_refusals() -> None:
    """Answers below 500, and an `Abandoned` order, do not count as failures of the peer."""
    replica = Replica()
    async with running(served(Peer, replica)) as url, asking(url) as peer:
        for error, kind in ((Conflict("no"), Conflict), (Abandoned("no"), Abandoned)):
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
async def test_invalid_answer_is_internal(answer: bytes) -> None:
    """An answer that cannot be decoded is a defect, and the error names the call."""
    async with raw(Dropping(0, answer)) as url, asking(url) as peer:
        with pytest.raises(Internal, match=r"peer\.safe answered what is no Pong"):
            await peer.safe(Ping())


@pytest.mark.parametrize("method", ["safe", "unsafe", "look"])
async def test_call_that_was_never_sent_goes_to_the_next_address(method: str) -> None:
    """Three of four replicas end at the same time, as when a part is scaled down: nothing was sent
    to them, so no call fails, whether it is idempotent or not.
    """
    gone = [listen() for _ in range(3)]
    urls = [url_of(one) for one in gone]
    for one in gone:
        one.close()
    replica = Replica()
    for _ in range(10):
        async with running(served(Peer, replica)) as url, asking(*urls, url) as peer:
            assert (await getattr(peer, method)(Ping())).who == "one"
    assert replica.calls == 10
