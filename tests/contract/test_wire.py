"""How is a request sent between parts, and how much is known of it when there is no answer?"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from borough.transport import wire
from borough.transport.wire import Answer, BrokenAnswer, Limits, NoAnswer, NotSent, Pool
from peers import raw
from serving import on_uvloop, until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Scripted:
    """Answers each request with the next of these sequences of chunks, one write each; counts
    connections. `None` closes the connection.
    """

    def __init__(self, *answers: list[bytes | None]) -> None:
        self.answers = list(answers)
        self.connections = self.ended = 0
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in self.answers.pop(0):
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)  # so that each chunk arrives separately
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ended += 1
            writer.close()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """A pool, closed at the end."""
    async with Pool() as pool:
        yield pool


class Doomed(Pool):
    """Its connections are closed as soon as they are made, as where the peer is killed."""

    def opened(self, connection: Any) -> None:
        super().opened(connection)
        connection.transport.abort()


@on_uvloop
async def test_connection_that_closes_before_it_is_used_has_sent_nothing() -> None:
    """So the request may be sent to another replica; on uvloop a write to it would raise."""
    async with Doomed() as pool, raw(Scripted([OK])) as url:
        with pytest.raises(NotSent, match="before it was used"):
            await ask(pool, url)


async def ask(pool: Pool, url: str, seconds: float = 600) -> Answer:
    return await pool.ask("POST", url, "/x", "", b"{}", time.monotonic() + seconds)


@pytest.mark.parametrize(
    "pieces",
    [
        [OK],
        [OK[:9], OK[9:30], OK[30:-1], OK[-1:]],
        [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n",
            b"1\r\nk\r\n0\r\n\r\n",
        ],
        [b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK],
    ],
    ids=["whole", "in pieces", "in chunks", "after a hint"],
)
async def test_answer_is_the_same_in_any_framing(pool: Pool, pieces: list[bytes | None]) -> None:
    """Chunks, chunked encoding and informational responses do not change the answer; and the
    connection is kept.
    """
    peer = Scripted(pieces, [OK])
    async with raw(peer) as url:
        assert await ask(pool, url) == Answer(200, b"ok", b"")
        assert (await ask(pool, url)).body == b"ok"
        await pool.close()
    assert peer.connections == 1


async def test_request_has_host_length_and_the_given_headers(pool: Pool) -> None:
    """What HTTP/1.1 requires, and the given lines, complete."""
    peer = Scripted([OK])
    async with raw(peer) as url:
        await pool.ask("POST", url, "/a?b=c", "x-one: 1\r\n", b"four", time.monotonic() + 600)
        await pool.close()
    assert peer.heads[0].split(b"\r\n") == [
        b"POST /a?b=c HTTP/1.1",
        b"host: " + url.removeprefix("http://").encode(),
        b"x-one: 1",
        b"content-length: 4",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    ("pieces", "failure"),
    [
        ([None], NoAnswer),
        ([OK[:20], None], BrokenAnswer),
        ([OK[:-1], None], BrokenAnswer),
        ([b"SSH-2.0-OpenSSH\r\n"], BrokenAnswer),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok"], BrokenAnswer),
    ],
    ids=["not a byte", "half a head", "a body cut short", "another protocol", "no length"],
)
async def test_failure_states_how_much_came_back(
    pool: Pool, pieces: list[bytes | None], failure: type[Exception]
) -> None:
    """Only if not a byte came back may the caller assume that nothing was done; the next request
    has a new connection.
    """
    peer = Scripted(pieces, [OK])
    async with raw(peer) as url:
        with pytest.raises(failure):
            await ask(pool, url)
        assert (await ask(pool, url)).body == b"ok"
        await pool.close()
    assert peer.connections == 2
    assert len(peer.heads) == 2  # no request was sent twice by the pool


async def test_refused_connection_is_no_answer(pool: Pool) -> None:
    """And not an error of the socket library."""
    with pytest.raises(NoAnswer):
        await ask(pool, "http://127.0.0.1:1")


async def test_late_answer_is_discarded(pool: Pool) -> None:
    """A connection whose answer was not awaited is not reused: it might receive that answer."""
    peer = Scripted([OK], [b""], [b""])
    async with raw(peer) as url:
        await ask(pool, url)  # connecting takes time, and the next request must be sent in time
        with pytest.raises(TimeoutError):
            await ask(pool, url, seconds=0.02)
        waiting = asyncio.create_task(ask(pool, url))
        await until(lambda: len(peer.heads) == 3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: peer.ended == 2)
    assert peer.connections == 2


async def test_connection_with_close_is_closed(pool: Pool) -> None:
    """A replica that drains, or limits the age of connections, is called over a new one."""
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    peer = Scripted([closing], [OK])
    async with raw(peer) as url:
        await ask(pool, url)
        await ask(pool, url)
        await pool.close()
    assert peer.connections == 2


async def test_connection_closed_by_the_peer_is_not_reused(pool: Pool) -> None:
    """Once the close has arrived; one that closes as the request is sent raises `NoAnswer`."""
    peer = Scripted([OK, None], [OK])
    async with raw(peer) as url:
        await ask(pool, url)
        await until(lambda: peer.ended == 1)
        await asyncio.sleep(0.01)  # the close arrives
        assert (await ask(pool, url)).body == b"ok"
        await pool.close()


async def test_unrequested_answer_closes_its_connection() -> None:
    """Otherwise it would be read as the answer to the next request."""
    peer = Scripted([OK, b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"], [OK])
    pool = Pool(Limits(keep_alive_s=1_000))  # it is not closed for its age
    async with raw(peer) as url, pool:
        await ask(pool, url)
        await until(lambda: peer.ended == 1)
        assert (await ask(pool, url)).status == 200
        await pool.close()


async def test_idle_connection_is_closed_before_the_peer_would() -> None:
    """The caller closes first, so that no request is sent on a connection that is closing."""
    peer = Scripted([OK], [OK])
    async with raw(peer) as url, Pool(Limits(keep_alive_s=0.01)) as pool:
        await ask(pool, url)
        await until(lambda: peer.ended == 1)
        await ask(pool, url)
        await until(lambda: peer.ended == 2)
    assert peer.connections == 2


async def test_number_of_connections_is_that_of_concurrent_requests(pool: Pool) -> None:
    """A connection has one request at a time; idle ones are reused."""
    peer = Scripted([OK], [OK], [OK], [OK], [OK], [OK])
    async with raw(peer) as url:
        await asyncio.gather(*(ask(pool, url) for _ in range(3)))
        await asyncio.gather(*(ask(pool, url) for _ in range(3)))
        await pool.close()
    assert peer.connections == 3


async def test_late_cancel_does_not_close_a_released_connection(pool: Pool) -> None:
    """Its answer had arrived in the same iteration of the loop, and another request had the
    connection.
    """
    peer = Scripted([OK], [OK])
    async with raw(peer) as url:
        released = pool.released
        second: list[asyncio.Future[Answer]] = []

        def taken_at_once(connection: wire._Connection) -> None:
            released(connection)
            pool.released = released  # type: ignore[method-assign]  # the original
            assert pool._take(url) is connection  # noqa: SLF001  # as another task would
            second.append(connection.ask(b"GET /x HTTP/1.1\r\n\r\n"))
            first.cancel()

        pool.released = taken_at_once  # type: ignore[method-assign]  # to run in that iteration
        first = asyncio.create_task(ask(pool, url))
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second[0]).body == b"ok"
        await pool.close()
    assert peer.connections == 1


async def test_connection_with_bytes_after_an_answer_is_closed(pool: Pool) -> None:
    """The beginning of another answer, in the same chunk: that connection is not reused."""
    more = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nev"
    async with raw(Scripted([OK + more, b"il"], [None])) as url:
        assert (await ask(pool, url)).body == b"ok"
        with pytest.raises(NoAnswer):  # a new connection, on which nothing is sent
            await ask(pool, url)


async def test_endless_answer_fails() -> None:
    """It is not buffered until the deadline."""
    async with raw(Scripted([OK])) as url, Pool(Limits(max_answer_bytes=1)) as pool:
        with pytest.raises(BrokenAnswer, match="larger than 1 bytes"):
            await ask(pool, url)


async def test_server_timing_is_found_beside_a_proxys(pool: Pool) -> None:
    """Both may add a header of that name."""
    timed = OK.replace(
        b"\r\n", b"\r\nserver-timing: server;dur=7\r\nserver-timing: mesh;dur=1\r\n", 1
    )
    async with raw(Scripted([timed])) as url:
        assert (await ask(pool, url)).server_timing == b"server;dur=7, mesh;dur=1"
        await pool.close()


async def test_blocked_event_loop_does_not_time_out_a_made_connection(pool: Pool) -> None:
    """A connection that was made while the event loop was blocked is used."""
    async with raw(scripted := Scripted([OK])) as url:
        asking = asyncio.create_task(ask(pool, url))
        for _ in range(3):
            await asyncio.sleep(0)  # the request for a connection has left
        time.sleep(pool.limits.connect_s + 2 * wire.LATE_S)  # noqa: ASYNC251  # blocks the loop
        assert (await asking).body == b"ok"
    assert scripted.connections == 1
