"""How many connections of one kind a store may use at a time, and how long callers wait for one."""

import asyncio
import time
from types import TracebackType
from typing import Protocol

from borough import deadline
from borough.errors import DeadlineExceeded

CONNECT_TIMEOUT_S = 5


class Pool(Protocol):
    """The connections of one kind that a store may use, as metrics read them."""

    name: str
    limit: int
    waited_s: float
    missed: int

    @property
    def in_use(self) -> int: ...


class ConnectionLimit:
    """A context manager around the use of a connection, at most `limit` at a time. Only the wait is
    bounded by the deadline: entering raises DeadlineExceeded where that is spent first.
    """

    def __init__(self, capability: str, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.in_use = 0
        self.waited_s = 0.0
        """Of all callers that waited, with or without success."""
        self.missed = 0
        """How many waits ended because the deadline was spent."""
        self._capability = capability
        self._free = asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        self.in_use += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.in_use -= 1
        self._free.release()

    async def _wait(self) -> None:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(deadline.remaining()):
                await self._free.acquire()
        except TimeoutError:
            self.missed += 1
            raise DeadlineExceeded(
                f"the deadline was spent before the store of {self._capability} was free"
            ) from None
        finally:
            self.waited_s += time.perf_counter() - start
