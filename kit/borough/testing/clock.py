"""A clock that only the test advances, so that no test waits for time."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock
from uuid import UUID

from borough import deadline
from borough.clock import Clock, uuid7

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


class ManualClock(Clock):
    """Starts at `start`. Identifiers are ascending, and the same in every run."""

    def __init__(self, start: datetime = MORNING) -> None:
        self._start = start
        self._elapsed = 0.0
        self._ids = itertools.count()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by this; only `advance` ends it."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        sleeper = (self._elapsed + seconds, woken)
        self._sleepers.append(sleeper)
        try:
            await woken
        finally:
            self._sleepers.remove(sleeper)

    def new_id(self) -> UUID:
        microseconds = (self.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return uuid7(microseconds * 1_000, next(self._ids))

    def advance(self, seconds: float) -> None:
        """Advance the time, and end the sleeps that are due, earliest first. They return at the
        next turn of the event loop; a new sleep is not ended by the same advance.
        """
        self._elapsed += seconds
        for due, woken in sorted(self._sleepers, key=lambda sleeper: sleeper[0]):
            if due <= self._elapsed and not woken.done():
                woken.set_result(None)

    @property
    def sleeping(self) -> int:
        """How many tasks sleep: a test waits for this before it advances."""
        return len(self._sleepers)


@contextmanager
def deadlines_by(clock: ManualClock) -> Iterator[None]:
    """In this context deadlines use this clock."""
    with mock.patch.object(deadline, "time", clock):
        yield
