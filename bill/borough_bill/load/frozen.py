"""A server that freezes periodically, so that the latencies a generator must find are known.

The requests of a uniform load that arrive while it is frozen for 1 s in every 10 s wait for the
rest of that second: P(latency > x) = (1 - x) / 10, so p99 = 0.9 s and p95 = 0.5 s. A generator that
waits for an answer before it sends again records next to none of this (coordinated omission).

`python -m borough_bill.load.frozen` prints its address and serves until its input ends; then it
prints the times of its answers on one line, in seconds of the monotonic clock.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import numpy as np
import typer
import uvloop

from borough_bill.load.generator import Generator, Job
from borough_bill.load.schedule import CONSTANT
from borough_bill.results import Freeze
from borough_bill.targets.processes import die_with_parent, killed

PERIOD, FREEZE = 10.0, 1.0
"""Seconds."""
RATE = 200.0
"""Requests a second; of 2,000 in a period, 20 wait longer than the 99th percentile."""

KEPT, LINE = 4_096, 1 << 20
"""The number of last answers whose times are kept; the bytes of their line, at most."""
BACKLOG = 4_096
"""Connections that the kernel accepts during a freeze."""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class _Answers(asyncio.Protocol):
    """Answers each request head with ANSWER, and adds the time to `answered`."""

    transport: asyncio.Transport

    def __init__(self, answered: deque[float]) -> None:
        self._answered = answered
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            self._head = b""
            self._answered.append(time.monotonic())
            self.transport.write(ANSWER)


async def serve(freeze_s: float, cpu: int | None) -> None:
    """Serve until the input ends, frozen for `freeze_s` seconds in the middle of each PERIOD."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    loop, answered = asyncio.get_running_loop(), deque[float](maxlen=KEPT)

    def freeze() -> None:
        loop.call_later(PERIOD, freeze)
        time.sleep(freeze_s)  # blocks the loop, which is the freeze

    if freeze_s:
        loop.call_later((PERIOD - freeze_s) / 2, freeze)
    server = await loop.create_server(lambda: _Answers(answered), "127.0.0.1", 0, backlog=BACKLOG)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201  # the parent process reads it
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()
    print(*(f"{moment:.6f}" for moment in answered), flush=True)  # noqa: T201  # as above


@asynccontextmanager
async def server(
    *, freeze_s: float = 0.0, cpu: int | None = None
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The URL of a server that is frozen for `freeze_s` seconds of every PERIOD, and its child
    process, pinned to core `cpu` if given.
    """
    place = () if cpu is None else ("--cpu", str(cpu))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.load.frozen", "--freeze", str(freeze_s), *place,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE,
        preexec_fn=die_with_parent,
    )  # fmt: skip  # the command on one line, as it is typed
    assert process.stdout is not None  # noqa: S101  # it is a pipe
    try:
        yield (await process.stdout.readline()).decode().strip(), process
    finally:
        await killed(process)


async def freeze_check(generator: Generator, cpu: int | None = None) -> Freeze:
    """The percentiles that this generator measures of a frozen server, and those by its own clock.

    It takes PERIOD seconds; the server is pinned to core `cpu` if given. Raises JobFailed.
    """
    with tempfile.TemporaryDirectory(prefix="borough-freeze-") as folder:
        async with server(freeze_s=FREEZE, cpu=cpu) as (url, process):
            job = Job(
                doors={"": (url,)},
                workload="probe",
                arrivals=CONSTANT,
                rate=RATE,
                seconds=PERIOD,
                out=Path(folder, "freeze.npz"),
            )
            recording = await generator.run(job)
            answers, _ = await process.communicate(b"")  # which closes its input
    p95, p99 = map(float, np.quantile(recording.latencies(), (0.95, 0.99)))
    intended = recording.header.start_s + recording.measured["intended"]
    # Paired in order: of equal requests it does not matter which answer belongs to which.
    answered = np.sort(np.array(answers.split(), float))
    if answered.size != intended.size:  # an answer was lost: only arithmetic is left
        return Freeze(p95_s=p95, p99_s=p99)
    given_p95, given_p99 = map(float, np.quantile(answered - intended, (0.95, 0.99)))
    return Freeze(p95_s=p95, p99_s=p99, given_p95_s=given_p95, given_p99_s=given_p99)


def main(freeze: float = 0, cpu: int | None = None) -> None:
    """Serve, frozen for `freeze` seconds of every period."""
    uvloop.run(serve(freeze, cpu))


if __name__ == "__main__":
    typer.run(main)
