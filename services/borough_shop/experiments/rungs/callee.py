"""The callee of a hop: a part in another process that serves one call from memory.

It is served by the launcher, like any part, but has no store, so that only the hop is measured. It
ends with the process that started it, also if that is killed.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import UUID

from borough.app import Definition
from borough_shop import inventory
from borough_shop.app import APP
from borough_shop.experiments.rungs.ladder import signal_for
from borough_shop.experiments.rungs.part import RungBuilder
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

HOST = "127.0.0.1"
START_S, SWITCH_S, STOP_S, LOOK_EVERY_S = 20.0, 20.0, 5.0, 0.01
"""Timeouts of a start, a switch and a stop, and the polling interval, in seconds."""
QUOTED_LINES = 15
"""How much of the log of a failed callee is quoted."""
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
    """A hop could not be measured; the message says what failed, and quotes the callee's log."""


class FromMemory(Inventory):
    """Returns one reservation for every call."""

    async def menu(self, request: MenuRequest) -> Menu:
        return Menu(items=())

    async def reserve(self, request: Reserve) -> Reservation:
        return ANSWER

    async def commit(self, request: OrderRef) -> Reservation:
        return ANSWER

    async def release(self, request: OrderRef) -> Reservation:
        return ANSWER


class CalleeBuilder(RungBuilder):
    """A part with one capability that needs no store."""

    def store_of(self, definition: Definition) -> None:
        return None


CALLEE = APP.replacing(replace(inventory.CAPABILITY, make=lambda _part, _store: FromMemory()))


@dataclass(frozen=True, slots=True)
class Callee:
    """A running callee."""

    url: str
    ops_port: int
    process: asyncio.subprocess.Process
    log: Path

    def cpu_s(self) -> float:
        """CPU its process has used, in seconds, ended threads included."""
        return time.clock_gettime(((~self.process.pid) << 3) | 2)

    async def switch(self, rung: str) -> None:
        """Put it on a rung, after every span of the rung before was exported. Raises HopFailed."""
        before = await self._switches()
        with suppress(ProcessLookupError):  # then it does not respond either
            self.process.send_signal(signal_for(rung))
        try:
            async with asyncio.timeout(SWITCH_S):
                while await self._switches() == before:
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise self.failed(f"does not reach rung {rung} in {SWITCH_S:.0f} s") from None

    async def _switches(self) -> int:
        return int(json.loads(await self.ops("/readyz"))["facts"]["switches"])

    async def ops(self, path: str) -> bytes:
        """A response of its ops port. Raises HopFailed."""
        try:
            return await asyncio.to_thread(_get, self.ops_port, path)
        except OSError as error:
            raise self.failed(f"does not answer on its ops port ({error})") from None

    def failed(self, what: str) -> HopFailed:
        """The error with this message and the end of its log."""
        return HopFailed(f"the callee {what}:\n{_end_of(self.log)}")


def _get(port: int, path: str) -> bytes:
    with closing(HTTPConnection(HOST, port)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


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
    with tempfile.NamedTemporaryFile(prefix="callee-", suffix=".log") as output:
        log = Path(output.name)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough_shop.experiments.rungs", "callee", "--rung", rung,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=partial(_before_exec, cpu),
        )  # fmt: skip  # the command on one line
        try:
            ports = await _ready(process, log)
            url = f"http://{HOST}:{ports['internal_port']}"
            yield Callee(url, ports["ops_port"], process, log)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _ready(process: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
    """The line that a part prints once it is ready."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                if ready := [line for line in _lines(log) if line.startswith('{"event": "ready"')]:
                    ports: dict[str, Any] = json.loads(ready[0])
                    return ports
                await asyncio.sleep(LOOK_EVERY_S)
    raise HopFailed(f"the callee did not start:\n{_end_of(log)}")


def _before_exec(cpu: int | None) -> None:
    """Between fork and exec: pin it to its CPU, and have it killed when its parent ends."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _lines(log: Path) -> list[str]:
    """The complete lines."""
    return log.read_text(errors="replace").split("\n")[:-1]


def _end_of(log: Path) -> str:
    return "\n".join(_lines(log)[-QUOTED_LINES:])
