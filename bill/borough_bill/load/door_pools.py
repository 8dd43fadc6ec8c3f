"""The connections of a job to its doors, and its set-up requests, which are sent one by one."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from itertools import cycle

from borough_bill.load.generator import Job, JobFailed
from borough_bill.load.wire import Address, OnAnswer, OnFailure, Pool
from borough_bill.load.workload import KEY, Workload

SWEEP_EVERY = 0.1
"""Seconds between two sweeps, which fail the requests that are past their timeout."""
QUOTED = 500
"""Bytes of a wrong answer that an error quotes."""


class DoorPools:
    """A pool of connections for each address of a job's doors.

    `on_answer` or `on_failure` is called for each request that is sent. Raises BadAddress.
    """

    def __init__(self, job: Job, on_answer: OnAnswer, on_failure: OnFailure) -> None:
        self.pools = {
            url: Pool(
                Address.parse(url),
                limit=job.connections,
                timeout=job.timeout_s,
                on_answer=on_answer,
                on_failure=on_failure,
            )
            for url in sorted({url for urls in job.doors.values() for url in urls})
        }
        self._by_prefix = {
            prefix: cycle([self.pools[url] for url in urls]) for prefix, urls in job.doors.items()
        }

    def pools_for(self, path: str) -> Iterator[Pool]:
        """An endless cycle of the pools of the longest prefix of a path. Raises JobFailed."""
        prefixes = [prefix for prefix in self._by_prefix if path.startswith(prefix)]
        if not prefixes:
            known = ", ".join(self._by_prefix)
            raise JobFailed(f"no door takes {path}; there are doors for {known}")
        return self._by_prefix[max(prefixes, key=len)]

    def sweep(self) -> None:
        """Fail the requests that are past their timeout."""
        now = time.monotonic()
        for pool in self.pools.values():
            pool.sweep(now)

    def close(self) -> None:
        """Close every connection."""
        for pool in self.pools.values():
            pool.close()


async def set_up(job: Job, workload: Workload) -> None:
    """Send the set-up requests. Raises JobFailed where one is not answered as expected."""
    answer: asyncio.Future[str | None]

    def on_answer(_: int, status: int, _first: float, _done: float, body: bytes) -> None:
        fault = request.expect.fault(status, body)
        answer.set_result(fault and f"{fault}: {body[:QUOTED].decode(errors='replace')}")

    def on_failure(_: int, reason: str) -> None:
        answer.set_result(reason)

    doors = DoorPools(job, on_answer, on_failure)
    try:
        for request, path, data in workload.setup_requests(job.customers):
            answer = asyncio.get_running_loop().create_future()
            with_key = data.replace(KEY.encode(), secrets.token_hex(16).encode())
            next(doors.pools_for(path)).send(0, with_key, time.monotonic())
            while not answer.done():
                await asyncio.wait({answer}, timeout=SWEEP_EVERY)
                doors.sweep()
            if fault := answer.result():
                raise JobFailed(f"set-up: {request.method} {path}: {fault}")
    finally:
        doors.close()
