"""uvicorn, as parts run it: without signal handlers, and with a shutdown that loses no request.

When uvicorn stops it closes every connection without a request in flight, although the next request
may be in the buffer of a connection, or in a connection that is not yet accepted. This server
reads these first. A request that is on the network at that time is lost; its client gets no byte
of a response, and may repeat it.
"""

import asyncio
import contextlib
import errno
import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from borough.config import PREFIX, Timeouts, WrongSettings
from borough_telemetry import Telemetry

BACKLOG = 2_048
CLOSE = (b"connection", b"close")
JITTER = 0.2
"""Share of the age limit by which a connection may end early, so that not all end together."""
REMEMBERED = 10_000
"""Connections whose age is kept; beyond this number, the oldest are dropped and count as new."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LOOK_S = 0.02


def bind(setting: str, host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises WrongSettings, naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        if number == errno.EADDRNOTAVAIL or number < 0:  # below 0: an error of the resolver
            raise WrongSettings(f"{PREFIX}HOST: {host} is no address of this machine") from None
        why = os.strerror(number).lower()
        raise WrongSettings(f"{PREFIX}{setting}: cannot listen on {host}:{port}: {why}") from None


# -- a connection


class OneWriteProtocol(HttpToolsProtocol):
    """One connection, on which the head of a response is written together with the first chunk of
    its body. uvicorn writes them separately: two system calls, and two wake-ups of the client.
    """

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["method"] != "HEAD":  # a response without a body
            cycle.transport = _Holding(cycle.transport)  # type: ignore[assignment]  # all a cycle uses
        super()._start_asgi_task(cycle, app)


class _Holding:
    """The transport of one response: it buffers the head until the next write."""

    __slots__ = ("_head", "_through", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._through = False

    def write(self, data: bytes) -> None:
        if self._through or data == _CONTINUE:
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._through = True
            self._transport.write(self._head + data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if not self._through and self._head:
            self._transport.write(self._head)  # of a response that ended before its body
        self._transport.close()


Peer = tuple[str, int]


@dataclass(eq=False)
class Connections:
    """ASGI middleware that adds `Connection: close` to responses on a connection that is older than
    `max_age` seconds (0: never), and on every connection while `leaving()`.

    A persistent connection keeps its client on one process. With a bounded age clients reconnect,
    so that a new replica gets its share, and a part that drains has no clients when it stops.

    A connection is identified by the client's address and port. If a client uses a port again, the
    new connection inherits the age of the old one, and ends early.
    """

    app: ASGIApp
    max_age: float
    leaving: Callable[[], bool]
    now: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    _ends: dict[Peer, float] = field(default_factory=dict, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        peer: Peer = scope["client"]

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and (self._too_old(peer) or self.leaving()):
                self._ends.pop(peer, None)
                message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
            await send(message)

        await self.app(scope, receive, closing)

    def _too_old(self, peer: Peer) -> bool:
        if not self.max_age:
            return False
        now = self.now()
        end = self._ends.get(peer)
        if end is None:
            if len(self._ends) >= REMEMBERED:
                del self._ends[next(iter(self._ends))]
            self._ends[peer] = now + self.max_age * (1 - JITTER * self.chance())
            return False
        return now >= end


# -- the server


class Listener(uvicorn.Server):
    """Serves an app on a listening socket until `stop`; `hurry` ends the shutdown at once."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        telemetry: Telemetry,
        hurry: asyncio.Event,
        timeouts: Timeouts,
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="none",
            http=OneWriteProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # use the peer address of the connection
            server_header=False,
            timeout_keep_alive=timeouts.keep_alive_s,  # type: ignore[arg-type]  # a timer takes it
            backlog=BACKLOG,
            reset_contextvars=True,  # else a request may inherit the context of the one before
        )
        super().__init__(config)
        self.servers = []
        self._quiet: dict[HttpToolsProtocol, tuple[object, float]] = {}
        self._listening = listening
        self._telemetry = telemetry
        self._hurry = hurry
        self._timeouts = timeouts
        # uvicorn ticks ten times a second; one sweep a second, more if keep-alive is shorter
        self._ticks_a_sweep = min(max(int(timeouts.keep_alive_s), 1), 10)

    async def run_until_stopped(self) -> None:
        """Serve; returns when the shutdown is complete."""
        try:
            await self.serve([self._listening])
        finally:
            self._listen_no_more()  # uvloop cannot close while a server listens

    def stop(self) -> None:
        """Begin the shutdown."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the launcher handles signals, since it has several listeners to stop."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Add a sweep to uvicorn's own housekeeping."""
        if counter % self._ticks_a_sweep == 0:
            self._close_quiet(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _close_quiet(self, now: float) -> None:
        """Close idle connections. uvicorn's timer runs only between a response and the next byte:
        neither before the first request nor while a head arrives byte by byte.
        """
        before, self._quiet = self._quiet, {}
        for connection in self._connections:
            cycle = connection.cycle  # of the last request; None before the first
            if getattr(cycle, "response_complete", True):
                last, since = before.get(connection, (cycle, now))
                self._quiet[connection] = (cycle, since if last is cycle else now)
        for connection, (_, since) in self._quiet.items():
            if now - since >= self._timeouts.keep_alive_s and not _has_arrivals(connection):
                connection.transport.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept pending connections, stop listening, finish requests, and close."""
        loop = asyncio.get_running_loop()
        waiting = _accept_all(self._listening)
        self._listen_no_more()
        for connection in waiting:
            await loop.connect_accepted_socket(
                lambda: OneWriteProtocol(self.config, self.server_state, self.lifespan.state),
                connection,
            )
        await self._finish_requests(loop.time())
        await self._cut_off()

    def _listen_no_more(self) -> None:
        for server in self.servers:
            server.close()
        self._listening.close()

    async def _finish_requests(self, start: float) -> None:
        loop, timeouts, state = asyncio.get_running_loop(), self._timeouts, self.server_state
        end = start + timeouts.in_flight_s
        while (state.connections or state.tasks) and not self._hurry.is_set() and loop.time() < end:
            fresh_may_wait = loop.time() < start + timeouts.first_request_s
            for connection in self._connections:
                fresh = connection.cycle is None
                if not _has_arrivals(connection) and not (fresh and fresh_may_wait):
                    connection.shutdown()  # at once when idle, else with the response
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _LOOK_S)

    async def _cut_off(self) -> None:
        """Cancel the requests that have not finished by now."""
        if tasks := set(self.server_state.tasks):
            self._telemetry.log.warning("requests cut off", requests=len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1)
        for connection in self._connections:
            connection.transport.abort()

    @property
    def _connections(self) -> list[HttpToolsProtocol]:
        return [c for c in self.server_state.connections if isinstance(c, HttpToolsProtocol)]


def _accept_all(listening: socket.socket) -> list[socket.socket]:
    """Accept pending connections, which closing the listening socket would reset."""
    listening.settimeout(0)
    accepted = []
    with contextlib.suppress(OSError):  # no more pending, or no more descriptors
        while True:
            connection, _ = listening.accept()
            connection.settimeout(0)
            accepted.append(connection)
    return accepted


def _has_arrivals(connection: HttpToolsProtocol) -> bool:
    """Whether unread bytes, or the client's close, are in the connection's buffer."""
    inbox = select.poll()
    inbox.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(inbox.poll(0))
