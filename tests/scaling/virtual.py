"""An event loop with virtual time, which advances at once while all tasks wait.

A file of its own because many test files run on it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """For code that waits for timers only."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]  # asyncio's own, untyped
        if not self._ready:  # type: ignore[attr-defined]  # the same
            waiting = (timer.when() for timer in timers if not timer.cancelled())
            self._now = max(self._now, min(waiting, default=self._now))
        super()._run_once()  # type: ignore[misc]  # the same


def run_virtually(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario in virtual time and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)
