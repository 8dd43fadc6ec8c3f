"""An attack: a job's requests at their scheduled times, a record of each, the CPU of the window.

The schedule, the requests and the memory of the records are made before the first request is sent.
The garbage collector is off during the attack, whose code leaves no reference cycles.
"""

import asyncio
import gc
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from borough_bill.load.door_pools import SWEEP_EVERY, DoorPools
from borough_bill.load.generator import Job, JobFailed, Progress
from borough_bill.load.recording import REQUEST, Failure, Header, Recording
from borough_bill.load.schedule import arrivals
from borough_bill.load.timer import Timer
from borough_bill.load.wire import Pool
from borough_bill.load.workload import KEY, VARIANTS, Workload
from borough_bill.targets.attribution import ProcessGone, busy_seconds, cpu_seconds

BURST = 64
"""Requests that are sent in a row where many are due, before the loop reads answers again."""
LEAD = 0.01
"""Seconds from planning to the start, so that the first request can be on time."""
PROGRESS_EVERY = 0.5
"""Seconds between two reports of progress."""
FAILURES_KEPT = 20
"""The first failures are kept one by one; all are counted by reason."""

_KEY = KEY.encode()


class RequestPlan(NamedTuple):
    """A request to send; `keyed` says that its bytes hold the placeholder of a key."""

    pools: Iterator[Pool]
    data: bytes
    keyed: bool


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
        self._doors = DoorPools(job, self._answered, self._unanswered)
        self._times = arrivals(job.arrivals, job.rate, job.warm_up_s + job.seconds, job.seed)
        number = len(self._times)
        self._warm = int(np.searchsorted(self._times, job.warm_up_s))
        if self._warm == number:
            raise JobFailed("no request falls into the window")
        job.out.parent.mkdir(parents=True, exist_ok=True)

        chance = np.random.default_rng([job.seed, number])
        self._classes = tuple(workload.classes)
        self._faults = [request.expect.fault for request in workload.classes.values()]
        self._plans = [
            RequestPlan(self._doors.pools_for(path), data, _KEY in data)
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
        self._timer = Timer(self._send_due)
        watch = asyncio.create_task(self._watch())
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            start = time.monotonic() + LEAD
            self._ends = start + self._job.warm_up_s + self._job.seconds
            await self._send(0, self._warm, start)
            busy, before, own = self._busy(), self._clocks(), time.process_time()
            begin = time.monotonic()
            self._ends = begin + self._job.seconds
            await self._send(self._warm, len(self._at), begin - self._job.warm_up_s)
            end = time.monotonic()
            after, own = self._clocks(), time.process_time() - own
            core_busy = _between(busy, self._busy())
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
            core_busy_s=core_busy,
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
        """Send the requests `first` to `last` - 1 at their times after `origin`, a time of
        `time.monotonic()`, and wait for the last answer.
        """
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

    def _unanswered(self, number: int, reason: str) -> None:
        self._ended(number, reason)

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

    def _busy(self) -> float | None:
        return None if self._job.core is None else busy_seconds(self._job.core)

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


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
