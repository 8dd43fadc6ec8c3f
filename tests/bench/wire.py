"""The cheapest closed loop that is still HTTP: one request's bytes, sent over kept connections."""

import asyncio
from typing import cast
from urllib.parse import urlsplit

import httptools


class Connections:
    """As many connections as there ever were calls at a time."""

    def __init__(self, url: str, path: str, body: bytes) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 80
        self._request = (
            f"POST {path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._idle: list[_Connection] = []

    async def call(self) -> None:
        """Send the request and wait for its answer. Raises ConnectionError, or ValueError where
        the status is not 200.
        """
        connection = self._idle.pop() if self._idle else await self._open()
        if connection.closed:  # the app ended it while it was idle
            connection = await self._open()
        status = await connection.ask(self._request)
        if status != 200:  # HTTP's word for yes
            raise ValueError(f"the app answered {status}")
        self._idle.append(connection)

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
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the app closed the connection"))

    def close(self) -> None:
        self._transport.close()
