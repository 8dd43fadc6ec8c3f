"""A part while it runs: its work, its state, and the ops port that shows it.

Ready is whether a part should get requests; that may depend on others, such as its schema or a
peer. Alive is only whether its event loop turns: a process is not to be killed for the failures of
others. Threads serve the ops port, so that a part whose event loop is stuck still answers there.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, TypeVar

from starlette.types import ASGIApp

from borough import signals
from borough.clock import Clock
from borough.config import Timeouts
from borough.stores.sql import Database
from borough_telemetry import Telemetry
from borough_telemetry.pages import Page, PageServer, json_page, metrics_page

BEAT_S = 1.0
"""How often a part's event loop shows that it turns."""
STUCK_S = 10.0
"""An event loop that was silent for longer is taken for dead."""
LOOK_S = 0.25
"""How often the lag of the event loop is measured; that takes less than 0.1 % of a core."""
_POOL_FACTS = {
    signals.STORE_CONNECTIONS: "in_use",
    signals.STORE_LIMIT: "limit",
    signals.STORE_WAIT: "waited_s",
}
Answer = TypeVar("Answer")
Loop = Callable[[], Coroutine[Any, Any, object]]


class Tasks:
    """Work that must not be cancelled: it runs to its end, and a drain waits for it."""

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
            task.exception()  # marks it as seen, where the waiting was cancelled

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._running:
            await asyncio.wait(self._running)

    def __len__(self) -> int:
        return len(self._running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of a shape, put together and not yet serving.

    `loops`, by name, run in the background for as long as the part lives. `ready` returns None, or
    a sentence that says why not. `facts` are part of /readyz.
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


# -- its state


class State(StrEnum):
    """A part takes requests in each of these states; it is to be sent some only when ready."""

    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    DRAINING = "draining"


class Health:
    """The state of a part: written on its event loop, read by the ops port from other threads."""

    def __init__(
        self, facts: Mapping[str, object], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._facts = facts
        self._now = now
        self._condition: tuple[State, str | None] = (State.STARTING, "not looked yet")
        self._restarts: Counter[str] = Counter()
        self._last_beat = now()

    @property
    def state(self) -> State:
        return self._condition[0]

    def become(self, state: State, reason: str | None = None) -> None:
        """Enter a state; `reason` is a sentence that says why the part is not ready."""
        self._condition = (state, reason)  # one assignment: a reader never sees half of it

    def restarted(self, loop: str) -> None:
        """Count a background loop that died."""
        self._restarts[loop] += 1

    def report(self) -> dict[str, object]:
        """The content of /readyz."""
        state, reason = self._condition
        restarts = dict(self._restarts)
        return {"state": state, "reason": reason, "loop_restarts": restarts, "facts": self._facts}

    def silence(self) -> float:
        """Seconds since the event loop last turned."""
        return self._now() - self._last_beat

    async def beat(self) -> NoReturn:
        """Show, as long as the event loop turns, that it does."""
        while True:
            self._last_beat = self._now()
            await asyncio.sleep(BEAT_S)


def ops_port(listening: socket.socket, health: Health, telemetry: Telemetry) -> PageServer:
    """Answers on a listening socket while the context lasts."""

    def livez(_: str) -> Page:
        silence = health.silence()
        alive = silence <= STUCK_S
        return json_page(200 if alive else 503, {"alive": alive, "silence_s": round(silence, 3)})

    def readyz(_: str) -> Page:
        report = health.report()
        return json_page(200 if report["state"] is State.READY else 503, report)

    def metrics(accept: str) -> Page:
        return metrics_page(telemetry.pieces, accept)

    routes = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}
    return PageServer(listening, routes, telemetry.log)


async def watch(
    health: Health,
    ready: Callable[[], Awaitable[str | None]],
    announce: Callable[[], object],
    log: Any,
    timeouts: Timeouts,
) -> NoReturn:
    """Check again and again, outside of requests, whether the part is ready; `announce` is called
    when it first is.
    """
    while True:
        reason, before = await _why_not(ready, timeouts.check_s), health.state
        if reason is None:
            health.become(State.READY)
            if before is State.STARTING:
                announce()
        elif before is State.STARTING:
            health.become(before, reason)
        else:
            health.become(State.UNREADY, reason)
            log.warning("no longer ready", reason=reason)
        pause = timeouts.check_until_ready_s if reason else timeouts.check_while_ready_s
        await asyncio.sleep(pause)


async def _why_not(ready: Callable[[], Awaitable[str | None]], within_s: float) -> str | None:
    try:
        async with asyncio.timeout(within_s):
            return await ready()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is why the part is not ready
        return f"{type(error).__name__}: {error}"


# -- what runs in the background


async def keep_running(
    name: str, loop: Loop, health: Health, telemetry: Telemetry, pause_s: float
) -> NoReturn:
    """Run a background loop, and start it again after a pause whenever it ends; each end is logged
    and counted.
    """
    while True:
        try:
            await loop()
            telemetry.log.error("background loop returned", loop=name)
        except Exception:  # no failure of a loop may end the part
            telemetry.log.exception("background loop died", loop=name)
        health.restarted(name)
        await asyncio.sleep(pause_s)


async def watch_loop(telemetry: Telemetry, clock: Clock) -> NoReturn:
    """Measure how late the event loop is: what a request would wait that arrived now."""
    lag = telemetry.metrics[signals.LOOP_LAG]
    while True:
        due = clock.monotonic() + LOOK_S
        await clock.sleep(LOOK_S)
        lag.observe(max(clock.monotonic() - due, 0.0))


def watch_store(telemetry: Telemetry, database: Database) -> None:
    """Expose the transactions and the connections of one capability's store."""
    owner = database.capability
    for kind in database.begun:
        read = partial(database.begun.__getitem__, kind)
        telemetry.watch(signals.STORE_TRANSACTIONS, read, capability=owner, kind=kind)
    for pool in database.pools:
        place = {"capability": owner, "pool": pool.name}
        for signal, fact in _POOL_FACTS.items():
            telemetry.watch(signal, partial(getattr, pool, fact), **place)
    telemetry.watch(
        signals.DEADLINE_EXCEEDED,
        lambda: sum(pool.missed for pool in database.pools),
        where="store",
        capability=owner,
    )
