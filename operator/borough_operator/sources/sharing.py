"""Single-flight requests: concurrent callers share one request per key, and its result for a while.

However many scalers are evaluated at once, each query is sent once. One that hangs delays its first
callers until their timeout; from then on callers wait `HANGING_WAIT` for it, until it responds
again. Requests that hang have slots of their own, so that they never block those that respond.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

HANGING_WAIT = 0.25
"""Seconds that callers wait for a request that did not respond the last time."""
FORGET_AFTER = 300.0
"""Seconds after which a result that is not read any more is dropped."""


@dataclass(slots=True)
class _Request(Generic[V]):
    wanted_at: float
    result: V | None = None
    finished_at: float = float("-inf")
    hangs: bool = False
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `task` has ended."""


class SingleFlight(Generic[K, V]):
    """Results by key.

    Args: `fetch` makes a request and must not raise. In seconds: a result is reused `for_seconds`,
    a request is cancelled `timeout` after it got a slot, and a caller waits at most `wait`.
    `max_in_flight` requests run at once, and a quarter as many that hang.
    """

    def __init__(  # noqa: PLR0913  # its limits, each by name
        self,
        fetch: Callable[[K], Awaitable[V]],
        *,
        for_seconds: float,
        timeout: float,
        wait: float,
        max_in_flight: int,
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._for_seconds = for_seconds
        self._timeout = timeout
        self._wait = wait
        self._clock = clock
        self._slots = asyncio.Semaphore(max_in_flight)
        self._hanging_slots = asyncio.Semaphore(max(1, max_in_flight // 4))
        self._requests: dict[K, _Request[V]] = {}
        self._swept = clock()

    async def get(self, keys: Iterable[K]) -> dict[K, V | None]:
        """The result for every key, or None where there is none in time."""
        now = self._clock()
        self._sweep(now)
        requests = {key: self._request(key, now) for key in keys}
        pending = [request for request in requests.values() if request.task]
        if pending:
            prompt = [request.ended for request in pending if not request.hangs]
            await _all_set([request.ended for request in pending], HANGING_WAIT)
            await _all_set(prompt, self._wait - HANGING_WAIT)
        return {
            key: request.result if self._is_current(request, now) else None
            for key, request in requests.items()
        }

    async def close(self) -> None:
        """Cancel all requests."""
        tasks = [request.task for request in self._requests.values() if request.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _request(self, key: K, now: float) -> _Request[V]:
        request = self._requests.setdefault(key, _Request(now))
        request.wanted_at = now
        if request.task is None and not self._is_current(request, now):
            request.ended = asyncio.Event()
            request.task = asyncio.create_task(self._run(key, request))
        return request

    def _is_current(self, request: _Request[V], now: float) -> bool:
        """Whether its result may be used by a caller of that moment."""
        return now - request.finished_at <= self._for_seconds

    async def _run(self, key: K, request: _Request[V]) -> None:
        result = None
        try:
            async with self._hanging_slots if request.hangs else self._slots:
                try:
                    async with asyncio.timeout(self._timeout):
                        result = await self._fetch(key)
                except TimeoutError:
                    request.hangs = True
                else:
                    request.hangs = False
        finally:
            request.result, request.finished_at, request.task = result, self._clock(), None
            request.ended.set()

    def _sweep(self, now: float) -> None:
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            self._requests = {
                key: request
                for key, request in self._requests.items()
                if request.task or now - request.wanted_at <= FORGET_AFTER
            }


async def _all_set(events: Iterable[asyncio.Event], within: float) -> None:
    """Wait until all events are set, or for `within` seconds.

    Events instead of tasks: removing a waiter from a task's callbacks searches them all, and
    thousands may wait for one request.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            for event in events:
                await event.wait()
