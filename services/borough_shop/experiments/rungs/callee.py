"""The other end of a hop: a part that answers one call from memory, in a process of its own.

It is served by the launcher, like any part; only its store is missing, so that a hop is all there
is to measure. It never outlives the process that started it, however that ends.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from borough.config import load
from borough.serving.server import run
from borough.testing.serving import HOST, fetch
from borough_shop.app import APP
from borough_shop.experiments.rungs.ladder import signal_for
from borough_shop.experiments.rungs.part import RungBuilder, build
from borough_shop.inventory.contract import (
    Inventory,
    Menu,
    MenuRequest,
    OrderRef,
    Reservation,
    ReservationState,
    Reserve,
)
from borough_shop.values import Line, Money, PricedLine

START_S, SWITCH_S, STOP_S = 20.0, 20.0, 5.0
"""What takes longer has failed."""
LAST_WORDS = 15
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

QUESTION = Reserve(
    order_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    lines=tuple(Line(sku=f"article-{number:02}", quantity=1) for number in range(24)),
)
"""About 0.9 KB of JSON."""
ANSWER = Reservation(
    order_id=QUESTION.order_id,
    state=ReservationState.OPEN,
    lines=tuple(
        PricedLine(sku=line.sku, quantity=1, price=Money(minor=250, currency="EUR"))
        for line in QUESTION.lines[:11]
    ),
)
"""About 0.9 KB as well."""


class HopFailed(Exception):
    """A hop could not be measured; the message says what failed, and quotes who failed."""


class FromMemory(Inventory):
    """Holds one reservation, and answers it whatever is asked for. It sells nothing."""

    async def menu(self, request: MenuRequest) -> Menu:
        return Menu(items=())

    async def reserve(self, request: Reserve) -> Reservation:
        return ANSWER

    async def commit(self, request: OrderRef) -> Reservation:
        return ANSWER

    async def release(self, request: OrderRef) -> Reservation:
        return ANSWER


class CalleeBuilder(RungBuilder):
    """A part whose one capability needs no store."""

    def compose(self, capabilities: Collection[str]) -> None:
        self.services = {name: FromMemory() for name in capabilities}


def serve(rung: str) -> None:
    """Be the callee, until SIGTERM."""
    settings = load(APP.settings)
    run(partial(build, settings, [Inventory.name], rung, builder=CalleeBuilder), settings)


@dataclass(frozen=True, slots=True)
class Callee:
    """A running callee: where it is asked, and which process it is."""

    url: str
    pid: int
    ops_port: int
    process: asyncio.subprocess.Process
    log: Path

    def cpu_s(self) -> float:
        """CPU its process has used, in seconds, ended threads included."""
        return time.clock_gettime(((~self.pid) << 3) | 2)

    async def switch(self, rung: str) -> None:
        """Put it on a rung; it has exported every span of the rung before. Raises HopFailed."""
        before = await self._switches()
        with suppress(ProcessLookupError):  # then it does not answer either
            self.process.send_signal(signal_for(rung))
        try:
            async with asyncio.timeout(SWITCH_S):
                while await self._switches() == before:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise self.failed(f"does not reach rung {rung} in {SWITCH_S:.0f} s") from None

    async def _switches(self) -> int:
        return int(json.loads(await self.ops("/readyz"))["facts"]["switches"])

    async def ops(self, path: str) -> bytes:
        """What it answers on its ops port. Raises HopFailed."""
        try:
            return (await asyncio.to_thread(fetch, self.ops_port, path)).body
        except OSError as error:
            raise self.failed(f"does not answer on its ops port ({error})") from None

    def failed(self, what: str) -> HopFailed:
        """That it did this, with the last it said."""
        return HopFailed(f"the callee {what}:\n{_last_words(self.log)}")


@asynccontextmanager
async def callee(rung: str, *, cpu: int | None, otlp: str) -> AsyncIterator[Callee]:
    """Start a callee on a rung (and on a CPU), and stop it at the end. Raises HopFailed."""
    environment = os.environ | {
        "BOROUGH_PART": "callee",
        "BOROUGH_SHAPE": "",
        "BOROUGH_HOST": HOST,
        "BOROUGH_INTERNAL_PORT": "0",
        "BOROUGH_OPS_PORT": "0",
        "BOROUGH_DRAIN_S": "0",
        "BOROUGH_OTLP_ENDPOINT": otlp,
    }
    with tempfile.NamedTemporaryFile(prefix="callee-", suffix=".log") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough_shop.experiments.rungs", "callee", "--rung", rung,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=partial(_before_exec, None if cpu is None else {cpu}),
        )  # fmt: skip  # the command on one line, as one would type it
        try:
            ports = await _ready(process, Path(log.name))
            yield Callee(
                url=f"http://{HOST}:{ports['internal_port']}",
                pid=process.pid,
                ops_port=ports["ops_port"],
                process=process,
                log=Path(log.name),
            )
        finally:
            await _end(process)


async def _ready(process: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
    """The line by which a part says that it is ready."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                if (line := _line_of(log, '{"event": "ready"')) is not None:
                    ready: dict[str, Any] = json.loads(line)
                    return ready
                await asyncio.sleep(0.02)
    raise HopFailed(f"the callee did not start:\n{_last_words(log)}")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _before_exec(cpus: Collection[int] | None) -> None:
    """Between fork and exec: to its CPU, and die with whoever measures."""
    if cpus is not None:
        os.sched_setaffinity(0, cpus)
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _line_of(log: Path, beginning: str) -> str | None:
    lines = log.read_text(errors="replace").splitlines(keepends=True)
    return next((n for n in lines if n.startswith(beginning) and n.endswith("\n")), None)


def _last_words(log: Path) -> str:
    with log.open(errors="replace") as said:
        return "".join(deque(said, LAST_WORDS)).rstrip()
