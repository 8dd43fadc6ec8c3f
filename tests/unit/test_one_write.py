"""Does an answer leave in one piece, and is it the same answer?"""

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
    """Answers in as many pieces as the path says; breaks off at /broken."""
    if scope["method"] == "POST":
        await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/broken":
        raise ConnectionError("the business hung up")
    pieces = PIECES[scope["path"]]
    for piece in pieces:
        more = piece is not pieces[-1]
        await send({"type": "http.response.body", "body": piece, "more_body": more})


class Transport(asyncio.Transport):
    """Keeps what is written, write by write."""

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
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """As above."""


@contextmanager
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Uvicorn tells of the app's own error."""
    with caplog.at_level("CRITICAL", "uvicorn.error"):
        yield


async def ask(*requests: bytes, protocol: type[Any] = OneWriteProtocol) -> Transport:
    """Everything written for these requests, which came in one piece."""
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
    """What is sent, and whether the connection ends: nothing is lost, added or moved."""
    with quiet(caplog):
        ours = await ask(*REQUESTS[case])
        theirs = await ask(*REQUESTS[case], protocol=HttpTools)
    assert b"".join(ours.written) == b"".join(theirs.written)
    assert ours.closed == theirs.closed


async def test_head_and_body_are_one_write() -> None:
    """One system call, and a caller who is woken once; a second piece does not wait for a third."""
    assert len((await ask(a("GET", "/one"))).written) == 1
    assert len((await ask(a("GET", "/two"))).written) == 2
