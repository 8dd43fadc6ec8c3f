"""Is an answer sent in one write, with the bytes that uvicorn sends?"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpTools

from borough.serving.listener import OneWriteProtocol

PIECES = {"/one": [b"all"], "/two": [b"first", b"second"], "/none": [b""]}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in as many pieces as the path has in `PIECES`; raise at /broken."""
    if scope["method"] == "POST":
        await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/broken":
        raise ConnectionError("the app failed")
    pieces = PIECES[scope["path"]]
    for piece in pieces:
        more = piece is not pieces[-1]
        await send({"type": "http.response.body", "body": piece, "more_body": more})


class Transport(asyncio.Transport):
    """Records every write."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 1)})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """Does nothing: no more data arrives."""

    def resume_reading(self) -> None:
        """Does nothing."""


@contextmanager
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Suppress uvicorn's log line of the error that the app raises."""
    with caplog.at_level("CRITICAL", "uvicorn.error"):
        yield


async def ask(*requests: bytes, protocol: type[Any] = OneWriteProtocol) -> Transport:
    """The transport after these requests arrived in one read."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    config.load()
    transport = Transport()
    connection = protocol(config, uvicorn.server.ServerState(), {})
    connection.connection_made(transport)
    connection.data_received(b"".join(requests))
    while tasks := set(connection.tasks):
        await asyncio.wait(tasks)
    connection.connection_lost(None)
    return transport


def a(method: str, path: str, more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nhost: t\r\n{more}\r\n".encode()


REQUESTS = {
    "one piece": [a("GET", "/one")],
    "two pieces": [a("GET", "/two")],
    "no body": [a("GET", "/none")],
    "head only": [a("HEAD", "/one")],
    "an invitation first": [
        a("POST", "/one", "content-length: 1\r\nexpect: 100-continue\r\n"),
        b"x",
    ],
    "broken off": [a("GET", "/broken")],
    "one behind the other": [a("GET", "/one"), a("HEAD", "/one"), a("GET", "/two")],
}


@pytest.mark.parametrize("case", REQUESTS)
async def test_answers_have_the_bytes_of_uvicorn(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes, and whether the connection is closed, are equal in every case."""
    with quiet(caplog):
        answered = await ask(*REQUESTS[case])
        expected = await ask(*REQUESTS[case], protocol=HttpTools)
    assert b"".join(answered.written) == b"".join(expected.written)
    assert answered.closed == expected.closed


async def test_head_and_body_are_one_write() -> None:
    """That saves a system call and a wake-up of the client; later pieces are sent as they come."""
    assert len((await ask(a("GET", "/one"))).written) == 1
    assert len((await ask(a("GET", "/two"))).written) == 2
