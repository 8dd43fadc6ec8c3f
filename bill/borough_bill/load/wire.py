"""HTTP/1.1 requests on pooled connections, one request at a time on each.

In an open loop no request waits for the answer to another: it takes an idle connection or opens a
new one. Only at the bound on connections does it wait, which is counted.
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

OnAnswer = Callable[[int, int, float, float, bytes], None]
"""Called with a request's number, status, monotonic times of first and last byte, and body."""
OnFailure = Callable[[int, str], None]
"""Called with the number of a request, and the reason why it has no whole answer."""


class BadAddress(ValueError):
    """A text is no base URL; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Address:
    """The components of a base URL; `header` is the value of the Host header."""

    host: str
    port: int
    tls: bool
    base: bytes
    header: bytes

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a base URL. Raises BadAddress."""
        parts = urlsplit(url)
        try:
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            base, header = parts.path.rstrip("/").encode("ascii"), parts.netloc.encode("ascii")
        except (KeyError, ValueError) as error:
            raise BadAddress(f"{url} is no address like http://host:port") from error
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise BadAddress(f"{url} is no address like http://host:port")
        return cls(parts.hostname, port, parts.scheme == "https", base, header)


class Pool:
    """The connections to one address, at most `limit`; `timeout` bounds the seconds for an answer.

    `opened` counts connections, `held_back` the requests that had to wait for one.
    """

    def __init__(
        self,
        address: Address,
        *,
        limit: int,
        timeout: float,
        on_answer: OnAnswer,
        on_failure: OnFailure,
    ) -> None:
        self._address, self._base, self._header = address, address.base, address.header
        self.on_answer = on_answer
        self.on_failure = on_failure
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
        """Send a rendered request; then `on_answer` or `on_failure` is called, once."""
        data = request.replace(BASE, self._base, 1).replace(HOST, self._header, 1)
        if self._idle:  # the most recently used connection first
            self._idle.pop().send(number, now, data)
            return
        self._waiting.append((number, now, data))
        self._open_more()
        if self._opening < len(self._waiting):
            self.held_back += 1

    def _open_more(self) -> None:
        """Open a connection for each waiting request, within the bound."""
        while self._opening < min(len(self._waiting), self._limit - len(self._all)):
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        """Open one connection; if that fails, fail the request that has waited longest."""
        address = self._address
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), address.host, address.port, ssl=address.tls or None
            )
        except OSError as error:
            self._opening -= 1
            if self._waiting:
                number, _, _ = self._waiting.popleft()
                self.on_failure(number, f"no connection: {error.strerror or type(error).__name__}")

    def made(self, connection: "_Connection") -> None:
        self._opening -= 1
        self.opened += 1
        self._all.add(connection)
        self.free(connection)

    def free(self, connection: "_Connection") -> None:
        """Give the connection the next waiting request, or keep it as idle."""
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def gone(self, connection: "_Connection") -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()

    def sweep(self, now: float) -> None:
        """Fail the requests that were sent longer ago than the timeout."""
        before = now - self._timeout
        reason = f"no answer within {self._timeout:g} s"
        while self._waiting and self._waiting[0][1] < before:
            self.on_failure(self._waiting.popleft()[0], reason)
        for connection in [c for c in self._all if c.since < before]:
            connection.fail(reason)

    def close(self) -> None:
        """Close every connection; requests under way are dropped without a callback."""
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
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self._pool.made(self)

    def send(self, number: int, since: float, data: bytes) -> None:
        """Send request `number`; its timeout counts from `since`, when it was given to the pool."""
        self.number, self.since, self._first = number, since, 0.0
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self.number == IDLE:  # data without a request
            self.transport.abort()
            return
        self._first = self._first or now
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail("the answer is no HTTP")
            return
        if self._whole:
            self._complete(now)

    def on_body(self, chunk: bytes) -> None:
        """Keep a piece of the body; called by the parser."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Note the end of an answer, unless it is an interim one (1xx); called by the parser."""
        self._whole = self._parser.get_status_code() >= 200  # noqa: PLR2004  # RFC 9110, 15.2
        self._kept = self._parser.should_keep_alive()  # the parser resets it afterwards

    def _complete(self, now: float) -> None:
        number, self.number, self.since = self.number, IDLE, inf
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._whole = False
        status = self._parser.get_status_code()
        if self._kept:
            self._pool.free(self)
        else:
            self.transport.close()
        self._pool.on_answer(number, status, self._first, now, body)

    def fail(self, reason: str) -> None:
        """Fail the request under way, and abort the connection."""
        number, self.number, self.since = self.number, IDLE, inf
        self.transport.abort()
        self._pool.on_failure(number, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        del self._parser  # breaks the reference cycle, since the garbage collector is off
        self._pool.gone(self)
        if self.number != IDLE:
            self.fail("the connection broke before the answer was whole")
