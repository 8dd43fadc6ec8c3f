"""A part as the launcher is handed it: what it serves, what runs behind, what a drain waits for.

The order of a start and of a drain is in `server.py`; here are the pieces it moves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from starlette.types import ASGIApp

from borough.config import Timeouts
from borough.serving.health import Health
from borough_telemetry import Telemetry

Answer = TypeVar("Answer")
Loop = Callable[[], Coroutine[Any, Any, object]]


class Tasks:
    """Work that nobody may cancel: it runs to its end, and a drain waits for it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Await the work; when the waiting is cancelled, the work goes on."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; without a waiter it is not an accident

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._running:
            await asyncio.wait(self._running)

    def __len__(self) -> int:
        return len(self._running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of a shape, put together and not yet serving.

    `loops`, by name, run in the background for as long as the part lives. `ready` answers None, or
    a sentence that says why not. `facts` are part of what /readyz answers.
    `timeouts` say how long serving it waits for what.
    """

    name: str
    public: ASGIApp | None
    internal: ASGIApp | None
    telemetry: Telemetry
    tasks: Tasks
    loops: Mapping[str, Loop]
    ready: Callable[[], Awaitable[str | None]]
    close: Callable[[], Awaitable[None]]
    facts: Mapping[str, object]
    timeouts: Timeouts


async def keep_running(
    name: str, loop: Loop, health: Health, telemetry: Telemetry, pause_s: float
) -> NoReturn:
    """Run a background loop, and start it again after a pause whenever it ends: one that dies is
    told of, and never silently gone.
    """
    while True:
        try:
            await loop()
            telemetry.log.error("background loop returned", loop=name)
        except Exception:  # whatever killed it must not kill the part
            telemetry.log.exception("background loop died", loop=name)
        health.restarted(name)
        await asyncio.sleep(pause_s)
