"""Where a job's requests go; and the requests that come before all others, one after another."""

import asyncio
import secrets
import time
from itertools import cycle

from borough_bill.load.generator import Job, JobFailed
from borough_bill.load.wire import Address, Landed, Lost, Pool
from borough_bill.load.workload import KEY, Workload

LOOK_EVERY = 0.1
"""Seconds between two looks for answers that are overdue."""
QUOTED = 500
"""Bytes of a wrong answer that are shown."""


class Doors:
    """A pool of connections for each address, taken in turn where a path has several addresses."""

    def __init__(self, job: Job, landed: Landed, lost: Lost) -> None:
        self.pools = {
            url: Pool(
                Address.parse(url),
                limit=job.connections,
                timeout=job.timeout_s,
                landed=landed,
                lost=lost,
            )
            for url in sorted({url for urls in job.doors.values() for url in urls})
        }
        self._turns = {
            prefix: cycle([self.pools[url] for url in urls]) for prefix, urls in job.doors.items()
        }

    def turn(self, path: str) -> "cycle[Pool]":
        """The pools of the longest prefix of this path, without end. Raises JobFailed."""
        prefixes = [prefix for prefix in self._turns if path.startswith(prefix)]
        if not prefixes:
            raise JobFailed(f"no door takes {path}; there are doors for {', '.join(self._turns)}")
        return self._turns[max(prefixes, key=len)]

    def sweep(self) -> None:
        """Give up what is overdue."""
        now = time.monotonic()
        for pool in self.pools.values():
            pool.sweep(now)

    def close(self) -> None:
        """Close every connection."""
        for pool in self.pools.values():
            pool.close()


async def set_up(job: Job, work: Workload) -> None:
    """Send the set-up requests. Raises JobFailed where one is not answered as expected."""
    answer: asyncio.Future[str | None]

    def landed(_: int, status: int, _first: float, _done: float, body: bytes) -> None:
        fault = request.expect.fault(status, body)
        answer.set_result(fault and f"{fault}: {body[:QUOTED].decode(errors='replace')}")

    def lost(_: int, reason: str) -> None:
        answer.set_result(reason)

    doors = Doors(job, landed, lost)
    try:
        for request, path, data in work.prepare(job.customers):
            answer = asyncio.get_running_loop().create_future()
            fresh = data.replace(KEY.encode(), secrets.token_hex(16).encode())
            next(doors.turn(path)).send(0, fresh, time.monotonic())
            while not answer.done():
                await asyncio.wait({answer}, timeout=LOOK_EVERY)
                doors.sweep()
            if fault := answer.result():
                raise JobFailed(f"set-up: {request.method} {path}: {fault}")
    finally:
        doors.close()
