"""A running part: its background work, its state, and the ops port that exposes the state.

Ready means that a part should get requests; that may depend on other processes, such as its
database or a peer. Live means only that its event loop runs, so that a process is not killed for
failures elsewhere. Threads serve the ops port, which responds also while the event loop is blocked.
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
"""Seconds between two heartbeats of a part's event loop."""
STUCK_S = 10.0
"""An event loop without a heartbeat for longer is reported as not live."""
LOOK_S = 0.25
"""Seconds between two measurements of the event loop's lag, which take below 0.1 % of a core."""
_POOL_FACTS = {
    signals.STORE_CONNECTIONS: "in_use",
    signals.STORE_LIMIT: "limit",
    signals.STORE_WAIT: "waited_s",
}
Answer = TypeVar("Answer")
Loop = Callable[[], Coroutine[Any, Any, object]]


class Tasks:
    """Work that must not be cancelled: it runs to completion, and a drain waits for it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Await the work; if the caller is cancelled, the work goes on."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, where the caller was cancelled

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._running:
            await asyncio.wait(self._running)

    def __len__(self) -> int:
        return len(self._running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of a shape, put together and not yet serving.

    `loops`, by name, run in the background while the part runs. `ready` returns None, or a sentence
    with the reason. `facts` are part of /readyz.
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
    """A part accepts requests in each of these states; clients should send some only when READY."""

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
        """Enter a state; `reason` is a sentence on why the part is not ready."""
        self._condition = (state, reason)  # one assignment, so that reads are atomic

    def restarted(self, loop: str) -> None:
        """Count a background loop that died."""
        self._restarts[loop] += 1

    def report(self) -> dict[str, object]:
        """The content of /readyz."""
        state, reason = self._condition
        restarts = dict(self._restarts)
        return {"state": state, "reason": reason, "loop_restarts": restarts, "facts": self._facts}

    def silence(self) -> float:
        """Seconds since the last heartbeat of the event loop."""
        return self._now() - self._last_beat

    async def beat(self) -> NoReturn:
        """Update the heartbeat as long as the event loop runs."""
        while True:
            self._last_beat = self._now()
            await asyncio.sleep(BEAT_S)


def ops_port(listening: socket.socket, health: Health, telemetry: Telemetry) -> PageServer:
    """Serves /livez, /readyz and /metrics on a listening socket, as a context manager."""

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
    """Check periodically, outside of requests, whether the part is ready; `announce` is called
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
    except Exception as error:  # noqa: BLE001  # any error is a reason for being unready
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
    """Measure the lag of the event loop: how long a request that arrives now would wait."""
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
