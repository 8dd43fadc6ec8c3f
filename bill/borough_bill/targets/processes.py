"""One replica of a part as a local process: its ports, its log, its life and its death.

A process never outlives the runner, however the runner ends; and it comes back on the ports it had,
since its peers were told those addresses when they started.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

HOST = "127.0.0.1"
BOROUGH = ("borough", "serve")
"""The module that is a part, and its verb; the capabilities follow."""
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=15)
"""Of a part that is asked for its facts or counters."""
LOOK_S = 0.05
"""Between two looks at a part that starts."""
LAST_WORDS = 15
"""Lines of its log that a part which died is quoted with."""

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class PartDied(Exception):
    """A part ended, or never became ready; the message names it and quotes its last words."""


def outside() -> dict[str, str]:
    """The environment without a `BOROUGH_` setting: what a part is told, and nothing leaks in."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}


class Ports:
    """The three ports of one process, kept for it over all its restarts.

    A socket that is bound but never listens holds each number. The system gives it to nobody else,
    yet a server that sets SO_REUSEADDR, as servers do, may listen there; and while none does,
    whoever connects is refused, as by any dead process. Only Linux shares a port so; elsewhere the
    number is let go, and a stranger might take it.
    """

    def __init__(self) -> None:
        holders = tuple(_hold() for _ in range(3))
        self.public, self.internal, self.ops = (port for _, port in holders)
        self._release = weakref.finalize(self, _release, tuple(holder for holder, _ in holders))

    def release(self) -> None:
        """Give the numbers back. Without a call that happens when the object is dropped, as where
        a shape is never started.
        """
        self._release()


def _release(holders: tuple[socket.socket, ...]) -> None:
    for holder in holders:
        holder.close()


def _hold() -> tuple[socket.socket, int]:
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((HOST, 0))
    port = holder.getsockname()[1]
    if sys.platform != "linux":
        holder.close()
    return holder, port


class Process:
    """A part's replica. `environment` is all it knows of the world; `log` takes all it says.

    It runs on any core or, with all its threads, on `cpu` alone; `python` interprets it.
    """

    def __init__(  # noqa: PLR0913  # all that makes one replica
        self,
        part: str,
        number: int,
        capabilities: tuple[str, ...],
        *,
        ports: Ports,
        environment: Mapping[str, str],
        log: Path,
        module: Sequence[str] = BOROUGH,
        cpu: int | None = None,
        python: str = sys.executable,
    ) -> None:
        self.part = part
        self.name = f"{part}-{number}"
        self.ports = ports
        self._command = (python, "-m", *module, *capabilities)
        self._environment = environment
        self._log = log
        self._cpu = cpu
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id. Raises PartDied where no process runs."""
        if self._process is None or not self.running:
            raise PartDied(f"part {self.name} does not run:\n{self.words()}")
        return self._process.pid

    async def start(self) -> None:
        """Start it; `ready` says when it serves."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    async def ready(self, http: aiohttp.ClientSession, within: float) -> None:
        """Wait until its /readyz says so; it starts on any core, and has its own from then on.

        Raises PartDied if it ends, or after so many looks as fit into `within` seconds: where the
        machine gives this process no time to look, the part has none to start either.
        """
        for _ in range(round(within / LOOK_S)):
            if await self._answers_ready(http):
                break
            if not self.running:
                raise PartDied(f"part {self.name} ended with {self._code()}:\n{self.words()}")
            await asyncio.sleep(LOOK_S)
        else:
            raise PartDied(f"part {self.name} is not ready in {within} s:\n{self.words()}")
        if self._cpu is not None:
            pin(self.pid, self._cpu)

    async def _answers_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"http://{HOST}:{self.ports.ops}/readyz") as answer:
                return answer.status == 200  # noqa: PLR2004  # HTTP's word for yes
        except aiohttp.ClientError:
            return False

    async def facts(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """What it says of itself at /readyz. Raises PartDied where nobody answers."""
        facts: dict[str, Any] = json.loads(await self._ask(http, "/readyz"))["facts"]
        return facts

    def signal(self, number: int) -> None:
        """Send it a signal that does not end it. Raises PartDied where no process runs."""
        os.kill(self.pid, number)

    async def metrics(self, http: aiohttp.ClientSession) -> str:
        """Its exposition, in the OpenMetrics text format. Raises PartDied where nobody answers."""
        return await self._ask(http, "/metrics", Accept="application/openmetrics-text")

    async def _ask(self, http: aiohttp.ClientSession, path: str, **headers: str) -> str:
        url = f"http://{HOST}:{self.ports.ops}{path}"
        try:
            async with http.get(url, headers=headers, timeout=ANSWERS_WITHIN) as answer:
                answer.raise_for_status()
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PartDied(
                f"part {self.name} does not answer {path} ({error!r}):\n{self.words()}"
            ) from error

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to say or save anything."""
        await self._end(signal.SIGKILL)

    async def terminate(self, within: float) -> int:
        """SIGTERM and wait for its drain; SIGKILL after `within` seconds. Answers the exit code."""
        try:
            async with asyncio.timeout(within):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()
        return self._code()

    async def _end(self, number: int) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)
            await self._process.wait()

    def _code(self) -> int:
        if self._process is None or self._process.returncode is None:
            raise ValueError(f"part {self.name} has not ended")
        return self._process.returncode

    def words(self) -> str:
        """The last lines of its log."""
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, LAST_WORDS)).rstrip()


async def killed(process: asyncio.subprocess.Process) -> None:
    """SIGKILL a process and wait for its end; one that has just ended by itself is none to kill."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def die_with_parent() -> None:
    """Between fork and exec: leave this process to the runner.

    The kernel kills it when the runner is gone. Ctrl-C, which a terminal sends to a whole group of
    processes, does not reach it: the runner decides what ends, and when.
    """
    os.setpgrp()
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def pin(pid: int, cpu: int) -> None:
    """Keep a process with all its threads on one core; threads it starts later inherit that."""
    threads, pinned = Path(f"/proc/{pid}/task"), set[str]()
    while strays := {thread.name for thread in threads.iterdir()} - pinned:
        for thread in strays:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(int(thread), {cpu})
        pinned |= strays
