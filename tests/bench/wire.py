"""The cheapest client that is still HTTP: ready-made bytes, sent over kept connections."""

import asyncio
from typing import cast
from urllib.parse import urlsplit

import httptools


def request(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request's bytes; underscores in the names of `headers` stand for hyphens, and the body is
    JSON.
    """
    head = {
        "host": urlsplit(url).netloc,
        "content-type": "application/json",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connections:
    """As many connections as there ever were calls at a time."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 80
        self._idle: list[_Connection] = []

    async def ask(self, request: bytes) -> int:
        """Send the request, wait for its answer, and return its status. Raises ConnectionError."""
        connection = self._idle.pop() if self._idle else await self._open()
        if connection.closed:  # the app ended it while it was idle
            connection = await self._open()
        status = await connection.ask(request)
        if not connection.closed:
            self._idle.append(connection)
        return status

    async def _open(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        """Close all, none of which is in use."""
        for connection in self._idle:
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    def ask(self, request: bytes) -> "asyncio.Future[int]":
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            if not self._parser.should_keep_alive():
                self._transport.close()
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the app closed the connection"))

    def close(self) -> None:
        self._transport.close()
