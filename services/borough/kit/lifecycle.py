"""What must come to its end before a part stops: work in flight, loops, and what was opened.

The order of a drain is in `server.py`; here are the pieces it drains.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from enum import StrEnum
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class State(StrEnum):
    """A part is ready only in the middle."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Tasks:
    """Work that nobody may cancel: it runs to its end, and a drain waits for it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Await the work; when the waiting is cancelled, the work goes on."""
        task = asyncio.create_task(work, context=copy_context())
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
