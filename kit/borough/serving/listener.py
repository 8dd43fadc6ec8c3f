"""uvicorn, as we run it: no hands on the signals, and a goodbye that loses no request.

When uvicorn stops it hangs up on whoever has no request in flight, though the next request may have
arrived already, in the buffer of a connection or in a connection not yet accepted. We look there
first. What remains is the time a request travels: a client that hears nothing sends it again.
"""

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from borough.config import PREFIX, Timeouts, WrongSettings
from borough.serving.one_write import OneWriteProtocol
from borough_telemetry import Telemetry

BACKLOG = 2_048
_LOOK_S = 0.02


def bind(setting: str, host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises WrongSettings, naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        if number == errno.EADDRNOTAVAIL or number < 0:  # below 0 it was the resolver that failed
            raise WrongSettings(f"{PREFIX}HOST: {host} is no address of this machine") from None
        why = os.strerror(number).lower()
        raise WrongSettings(f"{PREFIX}{setting}: cannot listen on {host}:{port}: {why}") from None


class Listener(uvicorn.Server):
    """Serves an app on a listening socket until `stop`; its `hurry` ends the goodbye at once."""

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
            proxy_headers=False,  # the client's address is that of its connection, whatever it says
            server_header=False,
            timeout_keep_alive=timeouts.keep_alive_s,  # type: ignore[arg-type]  # a timer takes it
            backlog=BACKLOG,
            reset_contextvars=True,  # else a request may begin in the context of the one before
        )
        super().__init__(config)
        self.servers = []
        self._quiet: dict[HttpToolsProtocol, tuple[object, float]] = {}
        self._listening = listening
        self._telemetry = telemetry
        self._hurry = hurry
        self._timeouts = timeouts
        # uvicorn ticks ten times a second; a sweep a second, more where silence is shorter
        self._ticks_a_sweep = min(max(int(timeouts.keep_alive_s), 1), 10)

    async def run_until_stopped(self) -> None:
        """Serve; returns when the goodbye is over."""
        try:
            await self.serve([self._listening])
        finally:
            self._listen_no_more()  # uvloop does not close while anybody listens

    def stop(self) -> None:
        """Begin the goodbye."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the launcher, which has more than one listener to stop."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """The housekeeping of uvicorn, and ours."""
        if counter % self._ticks_a_sweep == 0:
            self._hang_up_on_the_silent(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _hang_up_on_the_silent(self, now: float) -> None:
        """The timer of uvicorn runs between an answer and the next byte only: not before the first
        request, and not while a head comes in drop by drop.
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
        """Take what has arrived, listen no more, answer, hang up."""
        loop = asyncio.get_running_loop()
        waiting = _accept_all(self._listening)
        self._listen_no_more()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        await self._goodbye(loop.time())
        await self._cut_off()

    def _listen_no_more(self) -> None:
        for server in self.servers:
            server.close()
        self._listening.close()

    def _protocol(self) -> HttpToolsProtocol:
        return OneWriteProtocol(self.config, self.server_state, self.lifespan.state)

    async def _goodbye(self, start: float) -> None:
        loop, timeouts = asyncio.get_running_loop(), self._timeouts
        end = start + timeouts.in_flight_s
        while self._busy and not self._hurry.is_set() and loop.time() < end:
            fresh_may_wait = loop.time() < start + timeouts.first_request_s
            for connection in self._connections:
                fresh = connection.cycle is None
                if not _has_arrivals(connection) and not (fresh and fresh_may_wait):
                    connection.shutdown()  # at once when idle, else with the answer
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _LOOK_S)

    async def _cut_off(self) -> None:
        """Give up on whatever has not finished by now."""
        if tasks := set(self.server_state.tasks):
            self._telemetry.log.warning("requests cut off", requests=len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1)
        for connection in self._connections:
            connection.transport.abort()

    @property
    def _busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    @property
    def _connections(self) -> list[HttpToolsProtocol]:
        return [c for c in self.server_state.connections if isinstance(c, HttpToolsProtocol)]


def _accept_all(listening: socket.socket) -> list[socket.socket]:
    """Connections that are made, but that nobody has accepted: to close the socket resets them."""
    listening.settimeout(0)
    accepted = []
    with contextlib.suppress(OSError):  # nothing is left, or nothing more can be had
        while True:
            connection, _ = listening.accept()
            connection.settimeout(0)
            accepted.append(connection)
    return accepted


def _has_arrivals(connection: HttpToolsProtocol) -> bool:
    """Whether bytes (or a goodbye) wait in the connection's buffer, unread."""
    inbox = select.poll()
    inbox.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(inbox.poll(0))
