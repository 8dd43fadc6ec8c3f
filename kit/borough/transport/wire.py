"""An HTTP/1.1 client for calls between parts, over persistent connections.

It supports only what parts need: bodies of known length or in chunks. A general client takes three
times as long for a hop, because of cookies, redirects, proxies and sessions, which parts do not
use. It repeats nothing, since only the caller knows whether a request may be repeated; so the
exception of a failure states how far the request was sent.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

LATE_S = 0.1
"""A timer that fires later than this means that this process is busy."""
_FINAL = 200
"""Lower statuses are interim responses."""


class NoAnswer(Exception):
    """The connection failed before the first byte of a response."""


class NotSent(NoAnswer):
    """No connection was made: no byte of the request was sent, so it may go to another address."""


class BrokenAnswer(Exception):
    """The connection failed within a response, or the response was not HTTP."""


class Answer(NamedTuple):
    """The parts of a response that are used."""

    status: int
    body: bytes
    server_timing: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Timeouts of a pool of connections, and the maximum size of a response."""

    keep_alive_s: float = 15
    """An idle connection is closed after this: before the server, which waits longer, closes it."""
    connect_s: float = 0.5
    """The timeout of connecting, after which another replica is tried."""
    max_answer_bytes: int = 64 << 20
    """A larger response fails, in bytes."""


class Pool(AbstractAsyncContextManager["Pool"]):
    """Connections to all addresses that a part calls: one pool per part. Needs a running loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self._idle: dict[str, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def ask(  # noqa: PLR0913, PLR0917  # the parts of a request
        self, verb: str, url: str, target: str, headers: str, body: bytes, until: float
    ) -> Answer:
        """Send a request and await the response. `url` is http://HOST:PORT, `headers` are complete
        lines with their ends, `until` is a time of the monotonic clock.

        Raises NoAnswer, of which NotSent is one, BrokenAnswer, and TimeoutError.
        """
        connection = self._take(url) or await self._connect(url, until)
        head = (
            f"{verb} {target} HTTP/1.1\r\nhost: {url[7:]}\r\n{headers}"
            f"content-length: {len(body)}\r\n\r\n"
        )
        answer = connection.ask(head.encode("latin-1") + body)
        timer = answer.get_loop().call_later(until - time.monotonic(), _expire, answer)
        try:
            return await answer
        except BaseException:
            connection.give_up(answer)
            raise
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Close every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._open:
            connection.transport.close()
        await asyncio.sleep(0)  # the loop calls `connection_lost`

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _take(self, url: str) -> "_Connection | None":
        """The connection used last, so that surplus ones become idle and are closed."""
        idle = self._idle.get(url)
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def _connect(self, url: str, until: float) -> "_Connection":
        loop, where = asyncio.get_running_loop(), urlsplit(url)
        connecting = loop.create_task(
            loop.create_connection(
                lambda: _Connection(self, url), where.hostname or "", where.port or 80
            )
        )
        try:
            await _taken_in_time(connecting, until, self.limits.connect_s)
            connection: _Connection = connecting.result()[1]
        except OSError as failure:
            if isinstance(failure, TimeoutError):
                raise
            raise NotSent(str(failure)) from failure
        finally:
            connecting.cancel()
        if connection.transport.is_closing():
            raise NotSent("the connection ended before it was used")
        return connection

    # -- called by connections

    def opened(self, connection: "_Connection") -> None:
        self._open.add(connection)

    def released(self, connection: "_Connection") -> None:
        """The response is complete and the connection stays open."""
        connection.idle_since = time.monotonic()
        self._idle.setdefault(connection.url, []).append(connection)
        if self._sweep is None:
            self._sweep_in(self.limits.keep_alive_s)

    def lost(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.url, [])
        if connection in idle:
            idle.remove(connection)

    def _close_idle(self) -> None:
        """Close idle connections before the server does, which could lose a request."""
        now, oldest, keep_alive_s = time.monotonic(), None, self.limits.keep_alive_s
        for url, idle in list(self._idle.items()):
            old = [each for each in idle if now - each.idle_since >= keep_alive_s]
            for connection in old:
                connection.transport.close()
            del idle[: len(old)]  # a stack: the oldest are first
            if idle:
                oldest = min(idle[0].idle_since, oldest or now)
            else:
                del self._idle[url]
        self._sweep = None
        if oldest is not None:
            self._sweep_in(max(oldest + keep_alive_s - now, 0.001))

    def _sweep_in(self, seconds: float) -> None:
        self._sweep = asyncio.get_running_loop().call_later(seconds, self._close_idle)


async def _taken_in_time(connecting: "asyncio.Task[Any]", until: float, within_s: float) -> None:
    """Wait until it is done. Raises NotSent after `within_s`, TimeoutError at `until`.

    If the timer itself is late, this process was too busy to notice an established connection:
    that is no failure of the peer, so the timeout starts again.
    """
    while not connecting.done():
        begun = time.monotonic()
        await asyncio.wait({connecting}, timeout=max(min(until - begun, within_s), 0))
        now = time.monotonic()
        if connecting.done():
            return
        if now >= until:
            raise TimeoutError
        if now < begun + within_s + LATE_S:
            raise NotSent("the connection is not taken")


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    transport: asyncio.Transport
    idle_since: float

    def __init__(self, pool: Pool, url: str) -> None:
        self.url = url
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._heard = False
        self._body: list[bytes] = []
        self._size = 0
        self._server_timing = b""

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send a request; returns a future of the response, or of the exception."""
        self._answer = asyncio.get_running_loop().create_future()
        self._heard = False
        self._body, self._size, self._server_timing = [], 0, b""
        self.transport.write(request)
        return self._answer

    def give_up(self, answer: "asyncio.Future[Answer]") -> None:
        """The caller no longer waits; after a complete response there is nothing to do."""
        if self._answer is answer:
            self.transport.abort()

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._answer is None:
            self.transport.abort()  # data without a request
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BrokenAnswer(f"no HTTP: {error}"))
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.lost(self)
        why = str(error or "the connection ended")
        self._fail(BrokenAnswer(why) if self._heard else NoAnswer(why))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # -- the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that is used; the parser handles framing."""
        if name.lower() == b"server-timing":
            before = self._server_timing
            self._server_timing = before + b", " + value if before else value

    def on_message_begin(self) -> None:
        """A second response to one request must not be used for the next."""
        if self._answer is None:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._size += len(body)
        if self._size > self._pool.limits.max_answer_bytes:
            largest = self._pool.limits.max_answer_bytes
            self._fail(BrokenAnswer(f"the answer is larger than {largest} bytes"))
            self.transport.abort()

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _FINAL:
            return
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            self.transport.abort()
            return
        answer.set_result(Answer(status, b"".join(self._body), self._server_timing))
        if self._parser.should_keep_alive():
            self._pool.released(self)
        else:
            self.transport.close()


def _expire(answer: "asyncio.Future[Answer]") -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
