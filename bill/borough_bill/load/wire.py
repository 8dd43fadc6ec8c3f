"""Requests on connections: one at a time on each, kept alive, and as many as there are requests.

An open loop never lets a request wait for the answer to another: it takes an idle connection or
opens one. Only where a bound on connections is reached does it wait, which is counted.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

from borough_bill.load.workload import BASE, HOST

IDLE = -1

Landed = Callable[[int, int, float, float, bytes], None]
"""Takes a request's number and its answer: status, when first and last byte came, body."""
Lost = Callable[[int, str], None]
"""Takes a request's number, and why no whole answer to it will come."""


class BadAddress(ValueError):
    """No base URL; the message names it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL, taken apart."""

    host: str
    port: int
    tls: bool
    base: bytes
    header: bytes

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises BadAddress."""
        parts = urlsplit(url)
        try:
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            base, header = parts.path.rstrip("/").encode("ascii"), parts.netloc.encode("ascii")
        except (KeyError, ValueError) as error:
            raise BadAddress(f"{url} is no address like http://host:port") from error
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise BadAddress(f"{url} is no address like http://host:port")
        return cls(parts.hostname, port, parts.scheme == "https", base, header)

    def aim(self, request: bytes) -> bytes:
        """A rendered request, as it is sent here."""
        return request.replace(BASE, self.base, 1).replace(HOST, self.header, 1)


class Pool:
    """The connections to one address; `limit` bounds them, `timeout` the seconds for an answer."""

    def __init__(
        self, address: Address, *, limit: int, timeout: float, landed: Landed, lost: Lost
    ) -> None:
        self.address = address
        self.landed = landed
        self.lost = lost
        self.opened = 0
        self.held_back = 0
        self._limit = limit
        self._timeout = timeout
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._waiting: deque[tuple[int, float, bytes]] = deque()
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, number: int, request: bytes, now: float) -> None:
        """Send a rendered request; `landed` or `lost` will be told its number, once."""
        data = self.address.aim(request)
        if self._idle:  # the last that was freed is the warmest
            self._idle.pop().send(number, now, data)
            return
        self._waiting.append((number, now, data))
        self._open_more()
        if self._opening < len(self._waiting):
            self.held_back += 1

    def _open_more(self) -> None:
        """Open a connection for each request that waits, within the bound."""
        while self._opening < min(len(self._waiting), self._limit - len(self._all)):
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        """Open one more; where that fails, the request that waits longest has failed."""
        address = self.address
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), address.host, address.port, ssl=address.tls or None
            )
        except OSError as error:
            self._opening -= 1
            if self._waiting:
                number, _, _ = self._waiting.popleft()
                self.lost(number, f"no connection: {error.strerror or type(error).__name__}")

    def made(self, connection: "_Connection") -> None:
        """A connection that is open."""
        self._opening -= 1
        self.opened += 1
        self._all.add(connection)
        self.free(connection)

    def free(self, connection: "_Connection") -> None:
        """A connection that can take the next request."""
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def gone(self, connection: "_Connection") -> None:
        """A connection that is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()

    def sweep(self, now: float) -> None:
        """Give up what was sent longer ago than the timeout."""
        before = now - self._timeout
        reason = f"no answer within {self._timeout:g} s"
        while self._waiting and self._waiting[0][1] < before:
            self.lost(self._waiting.popleft()[0], reason)
        for connection in [c for c in self._all if c.since < before]:
            connection.fail(reason)

    def close(self) -> None:
        """Close every connection; what is under way is not told of any more."""
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._all):
            connection.number = IDLE
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    """A connection, busy with request `number` since `since`, or IDLE."""

    __slots__ = (
        "_chunks",
        "_first",
        "_kept",
        "_parser",
        "_pool",
        "_whole",
        "number",
        "since",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._first = 0.0
        self._whole = self._kept = False
        self.number = IDLE
        self.since = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is all but one
        self._pool.made(self)

    def send(self, number: int, since: float, data: bytes) -> None:
        """Send what `number` is; it was sent `since`, if only to wait for a connection."""
        self.number, self.since, self._first = number, since, 0.0
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self.number == IDLE:  # nobody asked
            self.transport.abort()
            return
        self._first = self._first or now
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail("answered what is no HTTP")
            return
        if self._whole:
            self._land(now)

    def on_body(self, chunk: bytes) -> None:
        """The parser found a piece of the body."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """The parser found the end; an interim answer (1xx) is followed by the answer."""
        self._whole = self._parser.get_status_code() >= 200  # noqa: PLR2004  # RFC 9110, 15.2
        self._kept = self._parser.should_keep_alive()  # it forgets when it is done

    def _land(self, now: float) -> None:
        number, self.number, self.since = self.number, IDLE, inf
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._whole = False
        status = self._parser.get_status_code()
        if self._kept:
            self._pool.free(self)
        else:
            self.transport.close()
        self._pool.landed(number, status, self._first, now, body)

    def fail(self, reason: str) -> None:
        """No answer will come on this connection."""
        number, self.number, self.since = self.number, IDLE, inf
        self.transport.abort()
        self._pool.lost(number, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        del self._parser  # it knows us: a circle that nobody would collect while we measure
        self._pool.gone(self)
        if self.number != IDLE:
            self.fail("the connection broke before the answer was whole")
