"""One run of the generator: requests at their times, a record of each, the CPU of the window.

Whatever can be done before the first request is sent, is: the schedule, the requests, and the
memory for every record. While it measures no garbage is collected; nothing it does then leaves any
circle of references.
"""

import asyncio
import gc
import secrets
import time
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from borough_bill.load.alarm import Alarm
from borough_bill.load.doors import LOOK_EVERY, Doors
from borough_bill.load.generator import Job, JobFailed, Progress
from borough_bill.load.recording import REQUEST, Failure, Header, Recording
from borough_bill.load.schedule import arrivals
from borough_bill.load.workload import KEY, VARIANTS, Workload
from borough_bill.targets.attribution import ProcessGone, busy_seconds, cpu_seconds

BURST = 64
"""Requests sent in one go where many are due, before the loop looks at answers again."""
LEAD = 0.01
"""Seconds from planning to the start, so that the first request can be in time."""
TELL_EVERY = 0.5
FAILURES_KEPT = 20
"""Of a run, one by one: the first tell why, all others are counted."""

_KEY = KEY.encode()


class Firing:
    """A job under way. Every request is planned when this is made; `go` sends them.

    The warm-up is sent and answered before the window begins, so that the CPU between the edges is
    that of the window's requests. Each run has fresh idempotency keys, also of the same seed: an
    order that was placed before would be answered from the books.

    Raises JobFailed, BadSchedule, BadWorkload, BadAddress, and OSError for a bad path.
    """

    def __init__(self, job: Job, work: Workload, tell: Callable[[Progress], None]) -> None:
        self._job = job
        self._tell = tell
        self._id = secrets.token_bytes(16)
        self._doors = Doors(job, self._landed, self._lost)
        self._times = arrivals(job.arrivals, job.rate, job.warm_up_s + job.seconds, job.seed)
        number = len(self._times)
        self._warm = int(np.searchsorted(self._times, job.warm_up_s))
        if self._warm == number:
            raise JobFailed("no request falls into the window")
        job.out.parent.mkdir(parents=True, exist_ok=True)

        chance = np.random.default_rng([job.seed, number])
        self._classes = tuple(work.classes)
        self._faults = [request.expect.fault for request in work.classes.values()]
        self._shots = [
            (self._doors.turn(path), data, _KEY in data)
            for variants in work.variants(job.customers, chance)
            for path, data in variants
        ]
        klass = chance.choice(len(self._classes), size=number, p=work.shares)
        shots = klass * VARIANTS + chance.integers(VARIANTS, size=number)

        self._records = np.zeros(number, REQUEST)
        self._records["klass"] = klass
        self._records["warm"][: self._warm] = True
        for column in ("first_byte", "done"):
            self._records[column] = np.nan
        self._sent, self._first, self._done, self._status, self._ok = (
            self._records[column] for column in ("sent", "first_byte", "done", "status", "ok")
        )
        # Flat memory that gives plain numbers of Python, at half the price of an array's.
        self._at, self._shot = self._times.data, shots.astype(np.uint32).data

        self._reasons = Counter[str]()
        self._first_failures: list[tuple[int, str]] = []
        self._next = self._last = self._open = self._served = self._failed = 0
        self._ends = 0.0

    async def go(self) -> Recording:
        """Send everything, write the recording, and answer it. Raises JobFailed, and OSError."""
        self._alarm = Alarm(self._due)
        watch = asyncio.create_task(self._watch())
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            start = time.monotonic() + LEAD
            self._ends = start + self._job.warm_up_s + self._job.seconds
            await self._fire(0, self._warm, start)
            busy, before, own = self._busy(), self._clocks(), time.process_time()
            begin = time.monotonic()
            self._ends = begin + self._job.seconds
            await self._fire(self._warm, len(self._at), begin - self._job.warm_up_s)
            end = time.monotonic()
            after, own = self._clocks(), time.process_time() - own
            used = _between(busy, self._busy())
        finally:
            gc.enable()
            gc.unfreeze()
            watch.cancel()
            self._alarm.close()
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
            core_busy_s=used,
            generator_cpu_s=own,
            connections=sum(pool.opened for pool in self._doors.pools.values()),
            held_back=sum(pool.held_back for pool in self._doors.pools.values()),
            reasons=dict(self._reasons),
            first_failures=tuple(self._failure(*failure) for failure in self._first_failures),
        )
        recording = Recording(self._job.out, header, self._records)
        recording.write()
        return recording

    async def _fire(self, first: int, last: int, origin: float) -> None:
        """Send these requests at their times after `origin`, and wait for the last answer."""
        if first == last:
            return
        loop = asyncio.get_running_loop()
        self._drained = loop.create_future()
        self._times[first:last] += origin
        self._next, self._last = first, last
        self._alarm.set(self._at[first])
        loop.set_exception_handler(self._broken)
        try:
            await self._drained
        finally:
            loop.set_exception_handler(None)

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback failed: nobody awaits one, and the run would wait for its end in vain."""
        if not self._drained.done():
            self._drained.set_exception(context.get("exception") or JobFailed(context["message"]))

    def _due(self) -> None:
        """Send what is due, then sleep until the next is."""
        for _ in range(BURST):
            number = self._next
            if number == self._last:
                self._alarm.stop()
                return
            now = time.monotonic()
            if self._at[number] > now:
                self._alarm.set(self._at[number])
                return
            self._next = number + 1
            self._open += 1
            self._sent[number] = now
            turn, data, keyed = self._shots[self._shot[number]]
            if keyed:
                key = blake2b(number.to_bytes(8), key=self._id, digest_size=16).hexdigest()
                data = data.replace(_KEY, key.encode())
            next(turn).send(number, data, now)
        self._alarm.set(time.monotonic())

    def _landed(self, number: int, status: int, first: float, done: float, body: bytes) -> None:
        self._first[number] = first
        self._done[number] = done
        self._status[number] = status
        fault = self._faults[self._shot[number] // VARIANTS](status, body)
        if fault is None:
            self._ok[number] = True
            self._served += 1
        self._ended(number, fault)

    def _lost(self, number: int, reason: str) -> None:
        self._ended(number, reason)

    def _ended(self, number: int, fault: str | None) -> None:
        if fault is not None:
            self._failed += 1
            self._reasons[f"{self._classes[self._shot[number] // VARIANTS]}: {fault}"] += 1
            if len(self._first_failures) < FAILURES_KEPT:
                self._first_failures.append((number, fault))
        self._open -= 1
        if not self._open and self._next == self._last and not self._drained.done():
            self._drained.set_result(None)

    def _failure(self, number: int, reason: str) -> Failure:
        """A request that was not served, once its times count from the start."""
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
        """Give up what is overdue, and tell how far the run is."""
        tell_at = 0.0
        while True:
            self._doors.sweep()
            if (now := time.monotonic()) >= tell_at:
                tell_at = now + TELL_EVERY
                left = max(0.0, self._ends - now)
                self._tell(
                    Progress(left_s=left, sent=self._next, served=self._served, failed=self._failed)
                )
            await asyncio.sleep(LOOK_EVERY)


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
