"""The launcher: starts a part, and stops it without losing a request.

One event loop serves the doors and the internal port, threads beside it the ops port. All ports are
bound before anything starts. On SIGTERM the part becomes unready and goes on serving for the drain
time, closing each connection after its response, while clients remove its address; then it stops
listening and finishes requests in flight. A second signal ends all waiting.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvloop

from borough.clock import Clock
from borough.config import Settings, WrongSettings
from borough.serving.lifecycle import (
    Health,
    Part,
    State,
    keep_running,
    ops_port,
    watch,
    watch_loop,
)
from borough.serving.listener import Connections, Listener, bind

TASKS_S = 30.0
"""The time for work in flight whose client has disconnected."""
CLOSE_S = 5.0
"""The time for telemetry to export the remaining spans, and again for the stores to close."""


class Stop:
    """The first `ask` starts the drain, the second ends all waiting."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()

    def ask(self) -> None:
        (self.hurry if self.asked.is_set() else self.asked).set()

    async def wait_for(
        self, work: Coroutine[Any, Any, object], at_most: float | None = None
    ) -> bool:
        """Whether the work ended before `at_most` seconds passed and before a second `ask`."""
        working = asyncio.create_task(work)
        hurried = asyncio.create_task(self.hurry.wait())
        await asyncio.wait({working, hurried}, timeout=at_most, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
        await _cancel(working, hurried)
        return ended


def run(build: Callable[[], Awaitable[Part]], settings: Settings) -> None:
    """Build a part on a new event loop and serve it until a signal stops it."""

    async def build_and_serve() -> None:
        await serve(await build(), settings)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(build_and_serve())


async def serve(part: Part, settings: Settings) -> None:
    """Serve the part until SIGTERM or SIGINT, drain it, and close it. Metrics of the process are
    exposed too. Raises WrongSettings when a port cannot be bound.
    """
    part.telemetry.watch_process()
    stop = Stop()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.ask)
    try:
        await Launch(part, settings, stop).run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(eq=False)
class Launch:
    """The run of one part; `announce` is called with a line of JSON once it is ready."""

    part: Part
    settings: Settings
    stop: Stop
    announce: Callable[[str], object] = _print

    def __post_init__(self) -> None:
        self._health = Health(self.part.facts)
        apps = {"public": self.part.public, "internal": self.part.internal}
        self._apps = {name: app for name, app in apps.items() if app is not None}
        self._log = self.part.telemetry.log

    async def run(self) -> None:
        """Serve until asked to stop. Raises WrongSettings when a port cannot be bound."""
        try:
            sockets = self._bind()
        except WrongSettings:
            await self._close()
            raise
        with ops_port(sockets["ops"], self._health, self.part.telemetry):
            turning = (
                asyncio.create_task(self._health.beat()),
                asyncio.create_task(watch_loop(self.part.telemetry, Clock())),
            )
            try:
                await self._live(sockets)
            finally:
                await self._close()
                await _cancel(*turning)

    def _bind(self) -> dict[str, socket.socket]:
        host, bound = self.settings.host, {}
        with contextlib.ExitStack() as undo:
            for name in (*self._apps, "ops"):
                setting = f"{name}_port"
                bound[name] = bind(setting.upper(), host, getattr(self.settings, setting))
                undo.callback(bound[name].close)
            undo.pop_all()
        return bound

    async def _live(self, sockets: dict[str, socket.socket]) -> None:
        part, stop = self.part, self.stop
        listeners = [
            Listener(
                Connections(
                    app,
                    max_age=self.settings.connection_max_age_s,
                    leaving=lambda: self._health.state is State.DRAINING,
                ),
                sockets[name],
                part.telemetry,
                stop.hurry,
                part.timeouts,
            )
            for name, app in self._apps.items()
        ]
        asked = asyncio.create_task(stop.asked.wait())
        serving = [asyncio.create_task(listener.run_until_stopped()) for listener in listeners]
        pause_s = part.timeouts.restart_pause_s
        loops = [
            asyncio.create_task(keep_running(name, loop, self._health, part.telemetry, pause_s))
            for name, loop in part.loops.items()
        ]
        announce = partial(self._say_ready, sockets)
        watching = asyncio.create_task(
            watch(self._health, part.ready, announce, self._log, part.timeouts)
        )
        await asyncio.wait({asked, *serving}, return_when=asyncio.FIRST_COMPLETED)

        await _cancel(asked, watching)
        self._health.become(State.DRAINING, "the part drains")
        self._log.info("draining")
        await stop.wait_for(asyncio.sleep(self.settings.drain_s))
        for listener in listeners:
            listener.stop()
        await asyncio.gather(*serving, return_exceptions=True)
        if not await stop.wait_for(part.tasks.drain(), at_most=TASKS_S):
            self._log.warning("work left unfinished", tasks=len(part.tasks))
        await _cancel(*loops)
        for served in serving:
            served.result()  # raises the exception of a failed listener, if any

    def _say_ready(self, sockets: dict[str, socket.socket]) -> None:
        ports = {f"{name}_port": bound.getsockname()[1] for name, bound in sockets.items()}
        self.announce(json.dumps({"event": "ready", "part": self.part.name, **ports}))

    async def _close(self) -> None:
        """Export the last spans in a thread, then close the stores, each within CLOSE_S."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await _in_daemon_thread(self.part.telemetry.close)
        except TimeoutError:
            self._log.warning("telemetry was not flushed in time", seconds=CLOSE_S)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.part.close()
        except Exception:  # noqa: BLE001  # it is logged, and the process ends
            self._log.exception("the part did not close cleanly")


async def _in_daemon_thread(work: Callable[[], object]) -> None:
    """Await blocking work in a thread that, unlike an executor's, the process does not wait for."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="flush", daemon=True).start()
    await ended.wait()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
