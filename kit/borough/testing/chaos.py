"""Faults between parts and inside one, as a script that can be repeated and shrunk.

A network loses a request or its response, or delivers twice, or late. The process of a part crashes
between any two of its steps: no row and no call of that process follows.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, repeat

from borough import deadline
from borough.capability import Endpoint, Message
from borough.errors import BoroughError, DeadlineExceeded, Unavailable

Arrive = Callable[[Endpoint, Message], Awaitable[Message]]


class Crashed(BaseException):
    """The process has ended: no `except Exception` of the product may catch this."""


class NetworkFault(StrEnum):
    """The fault of one call over the network."""

    NONE = "none"
    LOST = "lost"  # never arrives; the caller gets no response
    UNANSWERED = "unanswered"  # arrives and is executed; the response is lost
    LATE = "late"  # the caller times out; it arrives at the end
    TWICE = "twice"  # arrives twice concurrently
    ECHO = "echo"  # gets a response, and arrives once more at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All faults: `network_faults` of calls, in their sequence; `pace`, repeated, how many turns of
    the event loop each step gives to other tasks; `crashes`, by part, the steps at which its
    successive processes crash.
    """

    network_faults: tuple[NetworkFault, ...] = ()
    pace: tuple[int, ...] = (1,)
    crashes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


CALM = Script()


class Process:
    """A process of a part: counts its steps, and crashes at `crashes_at`, if any."""

    def __init__(self, pace: Iterator[int], crashes_at: int | None) -> None:
        self.steps = 0
        self.alive = True
        self.crashes_at = crashes_at
        self._pace = pace

    async def step(self, _where: str) -> None:
        """Before and after every effect: the checkpoint of its stores and of its calls."""
        self.steps += 1
        if self.steps == self.crashes_at:
            self.alive = False
        for _ in range(next(self._pace)):
            await asyncio.sleep(0)
        if not self.alive:
            if (task := asyncio.current_task()) is not None:
                task.add_done_callback(_retrieve)
            raise Crashed


def _retrieve(task: "asyncio.Task[object]") -> None:
    """A process that crashed logs nothing, least of all when its tasks are garbage-collected."""
    if not task.cancelled():
        task.exception()


class Network:
    """Passes calls on to `arrive`, with the faults of the script."""

    def __init__(self, network_faults: Iterable[NetworkFault], arrive: Arrive) -> None:
        self._faults: Iterator[NetworkFault] = chain(network_faults, repeat(NetworkFault.NONE))
        self._arrive = arrive
        self.calls = 0
        self._late: deque[tuple[Endpoint, Message]] = deque()

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """One call, with the next fault of the script."""
        self.calls += 1
        match next(self._faults):
            case NetworkFault.LOST:
                raise Unavailable(f"{endpoint.name}: no answer")
            case NetworkFault.UNANSWERED:
                with suppress(BoroughError):
                    await self._arrive(endpoint, message)
                raise DeadlineExceeded(f"{endpoint.name}: no answer in time")
            case NetworkFault.LATE:
                self._late.append((endpoint, message))
                raise DeadlineExceeded(f"{endpoint.name}: no answer in time")
            case NetworkFault.TWICE:
                both = (self._arrive(endpoint, message), self._arrive(endpoint, message))
                _, answer = await asyncio.gather(*both, return_exceptions=True)
                if isinstance(answer, BaseException):
                    raise answer
            case fault:
                if fault is NetworkFault.ECHO:
                    self._late.append((endpoint, message))
                answer = await self._arrive(endpoint, message)
        deadline.check(f"{endpoint.name} answered")
        return answer

    async def deliver_late(self) -> None:
        """Deliver the late calls, the latest first; their responses are dropped."""
        while self._late:
            with suppress(BoroughError):
                await self._arrive(*self._late.pop())

    def calm(self) -> None:
        """No more faults; late calls are not delivered by this."""
        self._faults = repeat(NetworkFault.NONE)


@dataclass(frozen=True, slots=True)
class Wire:
    """The transport from a process to the other parts."""

    caller: Process
    network: Network

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Call; a caller that crashed meanwhile never gets the response."""
        await self.caller.step(f"before {endpoint.name}")
        try:
            return await self.network.call(endpoint, message)
        finally:
            await self.caller.step(f"after {endpoint.name}")
