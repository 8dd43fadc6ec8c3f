"""To test what serves: a small part, its launch on free ports, and a connection seen from below.

An ordinary client hides what matters here: which bytes share a connection, and how it ends.
"""

import asyncio
import functools
import http.client
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ParamSpec, Self

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from borough.config import Settings, Timeouts
from borough.serving.lifecycle import Loop, Part, Tasks
from borough.serving.server import Launch, Stop
from borough_telemetry import Telemetry

HOST = "127.0.0.1"
LOOK_S = 0.005
LOOKS = 4_000
"""What a test waits for is there within so many looks. They take 20 s on an idle machine, and
longer where this process gets no core: a bound in seconds would pass without a look.
"""
PATIENCE_S = 600
"""For a blocking socket, which cannot look."""

P = ParamSpec("P")


def on_uvloop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on the event loop that parts run on."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        uvloop.run(_bounded(test(*args, **kwargs)))

    return run


async def _bounded(test: Coroutine[Any, Any, None]) -> None:
    """Await the test, and end it with TimeoutError after as many looks."""
    running = asyncio.ensure_future(test)
    for _ in range(LOOKS):
        if (await asyncio.wait({running}, timeout=LOOK_S))[0]:
            return running.result()
    running.cancel()
    await asyncio.wait({running})
    raise TimeoutError(f"the test has not ended after {LOOKS} looks")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def last(self) -> bool:
        """Whether the server said that it ends the connection."""
        return self.headers.get("connection") == "close"


class Wire:
    """One HTTP/1.1 connection. Opening and sending never turn the event loop: what was sent has
    arrived at the server's socket, and the server has not looked yet.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.settimeout(0)
        self._inbox = b""

    def send(self, *paths: str) -> None:
        """Ask for each path, all in one write."""
        self._socket.sendall(
            b"".join(f"GET {p} HTTP/1.1\r\nhost: t\r\n\r\n".encode() for p in paths)
        )

    async def reply(self) -> Reply:
        """The next answer. Raises ConnectionError when the connection ends before it is whole."""
        head = await self._until(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", "0"))
        while len(self._inbox) < length:
            await self._more()
        body, self._inbox = self._inbox[:length], self._inbox[length:]
        return Reply(int(status.split()[1]), headers, body)

    async def ask(self, path: str) -> Reply:
        """Send and await."""
        self.send(path)
        return await self.reply()

    async def ended(self) -> bool:
        """Await the end of the connection; False when there is an answer before it."""
        try:
            await self._more()
        except ConnectionError:
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._inbox:
            await self._more()
        found, self._inbox = self._inbox.split(mark, 1)
        return found

    async def _more(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._socket, 65_536)
        if not data:
            raise ConnectionError("the server ended the connection")
        self._inbox += data


async def say(send: Send, text: str) -> None:
    """Answer a request with a text."""
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def hello(scope: Scope, _receive: Receive, send: Send) -> None:
    """The smallest app: answers the path it was asked for."""
    await say(send, scope["path"])


async def _ready() -> str | None:
    return None


async def _close() -> None:
    return None


def small_part(  # noqa: PLR0913  # whatever a test wants to be otherwise
    public: ASGIApp | None = hello,
    internal: ASGIApp | None = None,
    *,
    tasks: Tasks | None = None,
    loops: Mapping[str, Loop] = MappingProxyType({}),
    ready: Callable[[], Awaitable[str | None]] = _ready,
    close: Callable[[], Awaitable[None]] = _close,
    telemetry: Telemetry | None = None,
    timeouts: Timeouts | None = None,
) -> Part:
    """A part that serves `hello` at its door, and is otherwise as the test wants it."""
    return Part(
        name="small",
        public=public,
        internal=internal,
        telemetry=telemetry or Telemetry("small", log_level="critical"),
        tasks=tasks or Tasks(),
        loops=loops,
        ready=ready,
        close=close,
        facts={"faults": {}},
        timeouts=timeouts or Timeouts(),
    )


@dataclass(slots=True)
class Running:
    """A part that is being served."""

    launch: asyncio.Task[None]
    stop: Stop
    lines: list[str] = field(default_factory=list)

    @property
    def ports(self) -> dict[str, int]:
        """By name: public, internal, ops."""
        line = json.loads(self.lines[0])
        return {key.removesuffix("_port"): n for key, n in line.items() if key.endswith("_port")}

    async def ops(self, path: str, verb: str = "GET") -> Reply:
        """Ask the ops port."""
        return await asyncio.to_thread(fetch, self.ports["ops"], path, verb)


@asynccontextmanager
async def launched(part: Part, **settings: Any) -> AsyncIterator[Running]:
    """The part, ready, on free ports; asked to stop at the end, and gone when this returns."""
    ports = {"public_port": 0, "internal_port": 0, "ops_port": 0}
    stop, lines = Stop(), list[str]()
    launch = Launch(part, Settings(**(ports | {"drain_s": 0} | settings)), stop, lines.append)
    running = Running(asyncio.create_task(launch.run()), stop, lines)
    try:
        await until(lambda: bool(lines) or running.launch.done())
        yield running
    finally:
        stop.ask()
        await running.launch


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds. Raises TimeoutError when it never does."""
    for _ in range(LOOKS):
        if condition():
            return
        await asyncio.sleep(LOOK_S)
    raise TimeoutError(f"not so after {LOOKS} looks")


def fetch(port: int, path: str, verb: str = "GET", accept: str = "*/*") -> Reply:
    """Ask over a connection of its own. Blocks."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.request(verb, path, headers={"Accept": accept})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, answer.read())
    finally:
        connection.close()
