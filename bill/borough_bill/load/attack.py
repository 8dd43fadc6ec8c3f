"""The generator's process: it reads a job a line, attacks, and writes messages a line.

The schedule, the requests and the memory of the records are made before the first request is sent.
The garbage collector is off during the attack, whose code leaves no reference cycles. The input
ends when the parent process ends, for any reason, so this process does not outlive it.
"""

import argparse
import asyncio
import gc
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import cycle
from typing import Any

import numpy as np
import uvloop

from borough_bill.load.generator import Job, JobFailed, Message, Progress
from borough_bill.load.kernel import Timer, request_priority
from borough_bill.load.recording import REQUEST, Failure, Header, Recording
from borough_bill.load.schedule import BadSchedule, arrivals
from borough_bill.load.wire import Address, BadAddress, OnAnswer, OnFailure, Pool
from borough_bill.load.workload import KEY, VARIANTS, BadWorkload, Workload, workload
from borough_bill.targets.attribution import ProcessGone, busy_seconds, cpu_seconds

BURST = 64
"""Requests that are sent in a row where many are due, before the loop reads answers again."""
LEAD = 0.01
"""Seconds from planning to the start, so that the first request can be on time."""
PROGRESS_EVERY = 0.5
"""Seconds between two reports of progress."""
FAILURES_KEPT = 20
"""The first failures are kept one by one; all are counted by reason."""
SWEEP_EVERY = 0.1
"""Seconds between two sweeps, which fail the requests that are past their timeout."""
QUOTED = 500
"""Bytes of a wrong answer that an error quotes."""
LINE_LIMIT = 1 << 24
"""Bytes of the longest job, which holds the keys of all customers."""

_KEY = KEY.encode()


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
        now = time.monotonic()
        for pool in self.pools.values():
            pool.sweep(now)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()


class Attack:
    """The requests of a job, planned when this is made and sent by `run`.

    The warm-up is sent and answered before the window begins, so that the CPU between the edges of
    the window is that of its requests. Every attack has fresh idempotency keys, even with the same
    seed: with a used key, a server would answer the stored order.

    Raises JobFailed, BadSchedule, BadWorkload, BadAddress, and OSError for a bad path.
    """

    def __init__(
        self, job: Job, workload: Workload, on_progress: Callable[[Progress], None]
    ) -> None:
        self._job = job
        self._on_progress = on_progress
        self._id = secrets.token_bytes(16)
        self._doors = DoorPools(job, self._answered, self._ended)
        self._times = arrivals(job.arrivals, job.rate, job.warm_up_s + job.seconds, job.seed)
        number = len(self._times)
        self._warm = int(np.searchsorted(self._times, job.warm_up_s))
        if self._warm == number:
            raise JobFailed("no request falls into the window")
        job.out.parent.mkdir(parents=True, exist_ok=True)

        chance = np.random.default_rng([job.seed, number])
        self._classes = tuple(workload.classes)
        self._faults = [request.expect.fault for request in workload.classes.values()]
        # A request to send: its pools, its bytes, and whether these hold the placeholder of a key.
        self._plans = [
            (self._doors.pools_for(path), data, _KEY in data)
            for variants in workload.variants(job.customers, chance)
            for path, data in variants
        ]
        klass = chance.choice(len(self._classes), size=number, p=workload.shares)
        planned = klass * VARIANTS + chance.integers(VARIANTS, size=number)

        self._records = np.zeros(number, REQUEST)
        self._records["klass"] = klass
        self._records["warm"][: self._warm] = True
        for column in ("first_byte", "done"):
            self._records[column] = np.nan
        self._sent, self._first, self._done, self._status, self._ok = (
            self._records[column] for column in ("sent", "first_byte", "done", "status", "ok")
        )
        # A memoryview answers Python numbers, at half the CPU of indexing an array.
        self._at, self._plan_of = self._times.data, planned.astype(np.uint32).data

        self._reasons = Counter[str]()
        self._first_failures: list[tuple[int, str]] = []
        self._next = self._last = self._open = self._served = self._failed = 0
        self._ends = 0.0

    async def run(self) -> Recording:
        """Send all requests, write the recording, and return it. Raises JobFailed and OSError."""
        core = self._job.core
        self._timer = Timer(self._send_due)
        watch = asyncio.create_task(self._watch())
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            start = time.monotonic() + LEAD
            self._ends = start + self._job.warm_up_s + self._job.seconds
            await self._send(0, self._warm, start)
            busy, before, own = busy_seconds(core), self._clocks(), time.process_time()
            begin = time.monotonic()
            self._ends = begin + self._job.seconds
            await self._send(self._warm, len(self._at), begin - self._job.warm_up_s)
            end = time.monotonic()
            after, own = self._clocks(), time.process_time() - own
            busy_after = busy_seconds(core)
        finally:
            gc.enable()
            gc.unfreeze()
            watch.cancel()
            self._timer.close()
            self._doors.close()

        self._records["intended"] = self._times
        for column in ("intended", "sent", "first_byte", "done"):
            self._records[column] -= start
        header = Header(
            job=self._job.model_dump(mode="json", exclude={"customers"}),  # keys are secrets
            run=self._id.hex(),
            classes=self._classes,
            start_s=start,
            window_begin_s=begin - start,
            window_s=end - begin,
            cpu={name: after[name] - seconds for name, seconds in before.items()},
            core_busy_s=None if busy is None or busy_after is None else busy_after - busy,
            generator_cpu_s=own,
            connections=sum(pool.opened for pool in self._doors.pools.values()),
            held_back=sum(pool.held_back for pool in self._doors.pools.values()),
            reasons=dict(self._reasons),
            first_failures=tuple(self._failure(*failure) for failure in self._first_failures),
        )
        recording = Recording(self._job.out, header, self._records)
        recording.write()
        return recording

    async def _send(self, first: int, last: int, origin: float) -> None:
        """Send requests at their times after `origin`, and wait for the last answer."""
        if first == last:
            return
        loop = asyncio.get_running_loop()
        self._drained = loop.create_future()
        self._times[first:last] += origin
        self._next, self._last = first, last
        self._timer.set(self._at[first])
        loop.set_exception_handler(self._callback_failed)
        try:
            await self._drained
        finally:
            loop.set_exception_handler(None)

    def _callback_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End the attack with the exception of a callback, which is not awaited anywhere else."""
        if not self._drained.done():
            self._drained.set_exception(context.get("exception") or JobFailed(context["message"]))

    def _send_due(self) -> None:
        """Send the requests that are due, and set the timer to the next one."""
        for _ in range(BURST):
            number = self._next
            if number == self._last:
                self._timer.stop()
                return
            now = time.monotonic()
            if self._at[number] > now:
                self._timer.set(self._at[number])
                return
            self._next = number + 1
            self._open += 1
            self._sent[number] = now
            pools, data, keyed = self._plans[self._plan_of[number]]
            if keyed:
                key = blake2b(number.to_bytes(8), key=self._id, digest_size=16).hexdigest()
                data = data.replace(_KEY, key.encode())
            next(pools).send(number, data, now)
        self._timer.set(time.monotonic())

    def _answered(self, number: int, status: int, first: float, done: float, body: bytes) -> None:
        self._first[number] = first
        self._done[number] = done
        self._status[number] = status
        fault = self._faults[self._plan_of[number] // VARIANTS](status, body)
        if fault is None:
            self._ok[number] = True
            self._served += 1
        self._ended(number, fault)

    def _ended(self, number: int, fault: str | None) -> None:
        if fault is not None:
            self._failed += 1
            self._reasons[f"{self._classes[self._plan_of[number] // VARIANTS]}: {fault}"] += 1
            if len(self._first_failures) < FAILURES_KEPT:
                self._first_failures.append((number, fault))
        self._open -= 1
        if not self._open and self._next == self._last and not self._drained.done():
            self._drained.set_result(None)

    def _failure(self, number: int, reason: str) -> Failure:
        """The record of a request that was not served. Times already count from the start."""
        record = self._records[number]
        return Failure(
            at_s=float(record["intended"]),
            request_class=self._classes[int(record["klass"])],
            status=int(record["status"]),
            reason=reason,
        )

    def _clocks(self) -> dict[str, float]:
        """CPU seconds of every process so far. Raises JobFailed, naming one that ended."""
        clocks = {}
        for name, pid in self._job.pids.items():
            try:
                clocks[name] = cpu_seconds(pid)
            except ProcessGone as error:
                raise JobFailed(f"{name} cannot be measured: {error}") from error
        return clocks

    async def _watch(self) -> None:
        """Sweep the connections, and report progress."""
        report_at = 0.0
        while True:
            self._doors.sweep()
            if (now := time.monotonic()) >= report_at:
                report_at = now + PROGRESS_EVERY
                left = max(0.0, self._ends - now)
                self._on_progress(
                    Progress(left_s=left, sent=self._next, served=self._served, failed=self._failed)
                )
            await asyncio.sleep(SWEEP_EVERY)


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


def _write(message: Message) -> None:
    print(message.model_dump_json(exclude_none=True), flush=True)  # noqa: T201  # the protocol


async def _run_job(line: bytes) -> None:
    """Run the job of a line, and write how it ended."""
    try:
        job = Job.model_validate_json(line)
        load = workload(job.workload).with_shares(job.shares)
        attack = Attack(job, load, lambda progress: _write(Message(progress=progress)))
        if job.set_up:
            await set_up(job, load)
        recording = await attack.run()
    except (BadAddress, BadSchedule, BadWorkload, JobFailed, OSError) as error:
        _write(Message(error=str(error)))
    else:
        _write(Message(recording=recording.path))


async def _serve() -> None:
    """Run jobs until the input ends, which also cancels a job that is under way."""
    jobs = asyncio.StreamReader(LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(jobs), sys.stdin
    )
    line = await jobs.readline()
    while line:
        run = asyncio.create_task(_run_job(line))
        following = asyncio.create_task(jobs.readline())
        await asyncio.wait({run, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done() and not following.result():
            run.cancel()
            return
        await run
        line = await following


def main() -> None:
    """Pin the process to its core, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", type=int, help="the core to stay on")
    cpu = parser.parse_args().cpu
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
        request_priority()
    uvloop.run(_serve())


if __name__ == "__main__":
    main()
