"""Transports for tests: to an app in this process through the codec; with repeated calls."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

from borough import deadline
from borough.capability import Endpoint, Message
from borough.errors import BoroughError
from borough.transport.calls import Transport
from borough.transport.codec import JSON, decode_response, encode_request


class Asgi:
    """Calls the app without a socket, with the bytes, headers and errors of the network."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        deadline.check(f"calling {endpoint.name}")
        left = deadline.remaining()
        path, body = encode_request(endpoint, message)
        headers = [(b"content-type", JSON.encode())] if body else []
        if left is not None:
            headers.append((deadline.HEADER.encode(), str(max(int(left * 1_000), 1)).encode()))
        status, content = await request(self._app, endpoint.verb, path, body, headers)
        return decode_response(endpoint, status, content)


async def request(
    app: Any,
    verb: str,
    target: str,
    body: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> tuple[int, bytes]:
    """One HTTP request to an ASGI app; returns status and body."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": verb,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [*(headers or []), (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    status, chunks = 0, bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        nonlocal status
        status = event.get("status", status)
        chunks.extend(event.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(chunks)


Outcome = Message | BoroughError
"""What a call returns or raises."""
Agree = Callable[[Outcome, Outcome], bool]
"""Whether two outcomes of the same message conform to `idempotent`."""


def same(first: Outcome, again: Outcome) -> bool:
    """Whether results are equal, or the class and document of errors."""
    if isinstance(first, BoroughError) and isinstance(again, BoroughError):
        return type(first) is type(again) and first.problem() == again.problem()
    return first == again


class Twice:
    """Sends every call marked idempotent twice, in turn or at once. Returns the first outcome, or
    of two at once the one that `agree` accepts as first; raises AssertionError if they disagree.
    """

    def __init__(self, transport: Transport, *, at_once: bool = False, agree: Agree = same) -> None:
        self._transport = transport
        self._at_once = at_once
        self._agree = agree

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        if not endpoint.idempotent:
            return await self._transport.call(endpoint, message)
        if self._at_once:
            first, again = await asyncio.gather(
                *(self._outcome(endpoint, message) for _ in range(2))
            )
            if not self._agree(first, again):
                first, again = again, first
        else:
            first, again = [await self._outcome(endpoint, message) for _ in range(2)]
        if not self._agree(first, again):
            raise AssertionError(f"{endpoint.name} is not idempotent: {first!r}, then {again!r}")
        if isinstance(first, BoroughError):
            raise first
        return first

    async def _outcome(self, endpoint: Endpoint, message: Message) -> Outcome:
        try:
            return await self._transport.call(endpoint, message)
        except BoroughError as error:
            return error


class Direct:
    """The service itself as a transport, so that `Twice` can wrap a local capability too."""

    def __init__(self, capability: Any) -> None:
        self._capability = capability

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        answer: Message = await getattr(self._capability, endpoint.method)(message)
        return answer
