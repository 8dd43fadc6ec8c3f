"""One replica of a part as a local process, which never outlives the runner, however that ends.

It is restarted on the ports it had, since its peers got those addresses when they started.
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
"""The module of a part and its verb; the capabilities follow."""
TIMEOUT = aiohttp.ClientTimeout(total=15)
"""For the facts or counters of a part."""
POLL_S = 0.05
"""Between two polls of a part that starts."""
LOG_TAIL = 15
"""Lines of the log in the error of a part that ended."""

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class PartDied(Exception):
    """A part ended, or never became ready; the message names it and quotes the end of its log."""


def outside() -> dict[str, str]:
    """The environment without `BOROUGH_` settings, so that parts get only the intended ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}


class Ports:
    """The three ports of one process, reserved over all its restarts by sockets that never listen.

    The system assigns such a port to no other socket, a server that sets SO_REUSEADDR can still
    listen on it, and without one connections are refused, as by any dead process. Only Linux
    permits this; elsewhere the sockets are closed, and another process might take a port.
    """

    def __init__(self) -> None:
        holders = [socket.socket() for _ in range(3)]
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((HOST, 0))
        ports: list[int] = [holder.getsockname()[1] for holder in holders]
        self.public, self.internal, self.ops = ports
        self.release = weakref.finalize(self, _close, holders)
        """Releases the ports. Without a call, garbage collection of this object does."""
        if sys.platform != "linux":
            self.release()


def _close(holders: list[socket.socket]) -> None:
    for holder in holders:
        holder.close()


class Process:
    """A part's replica, with its whole `environment`, and a `log` file for its output.

    It runs on any core or, with all its threads, on `cpu` alone; `python` is the interpreter.
    """

    def __init__(  # noqa: PLR0913  # the facts of a replica
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
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id. Raises PartDied if no process runs."""
        if self._process is None or not self.running:
            raise PartDied(f"part {self.name} does not run:\n{self.log_tail()}")
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
        """Wait until its /readyz succeeds; it starts on any core, and is pinned from then on.

        Raises PartDied if it ends, or after as many polls as fit into `within` seconds: polls, not
        time, since a machine too busy for this process is too busy for the part as well.
        """
        for _ in range(round(within / POLL_S)):
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"http://{HOST}:{self.ports.ops}/readyz") as answer:
                    if answer.status == 200:  # noqa: PLR2004  # OK
                        break
            if not self.running:
                code = self._process and self._process.returncode
                raise PartDied(f"part {self.name} ended with {code}:\n{self.log_tail()}")
            await asyncio.sleep(POLL_S)
        else:
            raise PartDied(f"part {self.name} is not ready in {within} s:\n{self.log_tail()}")
        if self._cpu is not None:
            pin(self.pid, self._cpu)

    async def facts(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """The facts in its /readyz. Raises PartDied without an answer."""
        facts: dict[str, Any] = json.loads(await self._get(http, "/readyz"))["facts"]
        return facts

    def signal(self, number: int) -> None:
        """Send it a signal that does not end it. Raises PartDied if no process runs."""
        os.kill(self.pid, number)

    async def metrics(self, http: aiohttp.ClientSession) -> str:
        """Its /metrics, in the OpenMetrics text format. Raises PartDied without an answer."""
        return await self._get(http, "/metrics", Accept="application/openmetrics-text")

    async def _get(self, http: aiohttp.ClientSession, path: str, **headers: str) -> str:
        url = f"http://{HOST}:{self.ports.ops}{path}"
        try:
            async with http.get(url, headers=headers, timeout=TIMEOUT) as answer:
                answer.raise_for_status()
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PartDied(
                f"part {self.name} does not answer {path} ({error!r}):\n{self.log_tail()}"
            ) from error

    async def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        await self._end(signal.SIGKILL)

    async def terminate(self, within: float) -> int:
        """SIGTERM and wait for its drain; SIGKILL after `within` seconds. Returns the exit code."""
        try:
            async with asyncio.timeout(within):
                return await self._end(signal.SIGTERM)
        except TimeoutError:
            return await self._end(signal.SIGKILL)

    async def _end(self, number: int) -> int:
        if self._process is None:
            raise ValueError(f"part {self.name} was not started")
        if self.running:
            self._process.send_signal(number)
        return await self._process.wait()

    def log_tail(self) -> str:
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, LOG_TAIL)).rstrip()


async def killed(process: asyncio.subprocess.Process) -> None:
    """SIGKILL a process, unless it has just ended by itself, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def die_with_parent() -> None:
    """Between fork and exec: bind this process to the runner.

    The kernel kills it when the runner ends. Ctrl-C, which a terminal sends to a whole process
    group, does not reach it: the runner stops its processes in order.
    """
    os.setpgrp()
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def pin(pid: int, cpu: int) -> None:
    """Pin a process with all its threads to one core; threads that it starts later inherit that."""
    threads, pinned = Path(f"/proc/{pid}/task"), set[str]()
    while unpinned := {thread.name for thread in threads.iterdir()} - pinned:
        for thread in unpinned:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(int(thread), {cpu})
        pinned |= unpinned
