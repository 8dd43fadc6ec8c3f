"""A server whose answer times are known: what the generator says of it shows what it is worth.

A server that stands still for 1 s in every 10 s of a uniform load makes the customers who come then
wait for the rest of that second: P(latency > x) = (1 - x) / 10, so p99 = 0.9 s and p95 = 0.5 s. A
generator that waits for answers before it sends again hardly sees the freeze at all.

`python -m borough_bill.load.frozen` prints its address and serves until its input ends.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

from borough_bill.load.generator import Generator, Job
from borough_bill.load.schedule import CONSTANT
from borough_bill.results import Freeze
from borough_bill.targets.processes import die_with_parent, killed

PERIOD, STILL = 10.0, 1.0
RATE = 200.0
"""Requests a second; of 2,000 in a period, 20 wait longer than the 99th percentile."""

BACKLOG = 4_096
"""Connections the kernel keeps while we stand still."""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class _Answers(asyncio.Protocol):
    """The same answer to whatever ends like the head of a request, `delay` seconds later."""

    transport: asyncio.Transport

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        self._head = b""
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if not self.transport.is_closing():  # by whoever waited no longer
            self.transport.write(ANSWER)


async def serve(still: float, delay: float, cpu: int | None) -> None:
    """Serve until the input ends: still for so many seconds of each PERIOD, from its middle on."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    loop = asyncio.get_running_loop()

    def freeze() -> None:
        loop.call_later(PERIOD, freeze)
        time.sleep(still)  # the freeze itself: nobody else on this loop moves

    if still:
        loop.call_later((PERIOD - still) / 2, freeze)
    server = await loop.create_server(lambda: _Answers(delay), "127.0.0.1", 0, backlog=BACKLOG)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201  # whoever started us waits for it
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


@asynccontextmanager
async def server(
    *, still: float = 0.0, delay: float = 0.0, cpu: int | None = None
) -> AsyncIterator[tuple[str, int]]:
    """The URL and the pid of such a server in a process of its own, on core `cpu` if given.

    It answers after `delay` seconds, and stands still for `still` seconds of every PERIOD.
    """
    place = () if cpu is None else ("--cpu", str(cpu))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.load.frozen",
        "--still", str(still), "--delay", str(delay), *place,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )  # fmt: skip  # the command on one line, as one would type it
    assert process.stdout is not None  # noqa: S101  # it was asked for
    try:
        yield (await process.stdout.readline()).decode().strip(), process.pid
    finally:
        await killed(process)


async def freeze_check(generator: Generator, cpu: int | None = None) -> Freeze:
    """What this generator finds: the 95th and 99th percentile of latency, in seconds.

    They should be 0.5 s and 0.9 s, within 5 %. It takes PERIOD seconds; the server is on core
    `cpu` if given.
    """
    with tempfile.TemporaryDirectory(prefix="borough-freeze-") as folder:
        async with server(still=STILL, cpu=cpu) as (url, _):
            job = Job(
                doors={"": (url,)},
                workload="probe",
                arrivals=CONSTANT,
                rate=RATE,
                seconds=PERIOD,
                out=Path(folder, "freeze.npz"),
            )
            recording = await generator.run(job)
    p95, p99 = np.quantile(recording.latencies(), (0.95, 0.99))
    return Freeze(p95_s=float(p95), p99_s=float(p99))


def main() -> None:
    """Serve as one is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--still", type=float, default=0.0, help="seconds of every period")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--cpu", type=int, help="the core to stay on")
    asked = parser.parse_args()
    uvloop.run(serve(asked.still, asked.delay, asked.cpu))


if __name__ == "__main__":
    main()
