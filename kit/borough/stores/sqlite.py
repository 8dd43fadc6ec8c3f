"""SQLite: one writing thread and several reading threads, each with its own connection.

A switch to a thread and back costs more than most statements. So a whole transaction runs in the
thread, as a coroutine whose statements complete without waiting. A row that is found by its key is
read on the event loop, which takes 5 µs instead of the 40 of a thread. A commit waits for the disk
and costs more than its statements: jobs that were queued while the writing thread was busy are
committed together, each transaction in its own savepoint.

By default the driver begins a transaction at the first change, after the reads that it depends on:
of two concurrent writers that read the same state, one update is lost. Here the one writing
connection takes the write lock before it reads, with BEGIN IMMEDIATE.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from borough import deadline
from borough.errors import DeadlineExceeded
from borough.stores.statements import Result, Rows, Statement

BUSY_TIMEOUT_S = 30
"""Seconds that a transaction waits for one of another process."""
READ_ONLY = ("query_only = ON",)
GROUP = 32
"""Transactions that are committed together at most, since the first waits for the last."""

T = TypeVar("T")
Work = Callable[[Any], Coroutine[Any, Any, T]]


class Sqlite:
    """One file, in WAL mode. With `synchronous` FULL a commit survives a power cut, unless its
    statement is not `durable`; with NORMAL it survives a crash of the process. `readers` is how
    many statements read concurrently.
    """

    failures = (sqlite3.Error,)

    def __init__(self, path: str, capability: str, synchronous: str, readers: int) -> None:
        self._writer = Writer(path, capability, synchronous)
        self._reader = _Threads(path, capability, "reader", readers, READ_ONLY)
        self.pools = (self._reader, self._writer)
        self._path = path
        self._at_hand: sqlite3.Connection | None = None

    def is_lost(self, error: Exception) -> bool:
        """Never: a file has no connection that could be lost."""
        return False

    async def execute(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """Execute one statement, which is a transaction of its own."""
        if statement.brief:
            with suppress(Busy):
                return self.read_at_once(statement, values)
        side = self._reader if statement.reads else self._writer
        job = Job(lambda c: _execute(c, statement, values), durable=statement.durable)
        answer: Result = await side.run(job)
        return answer

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Execute a statement once for each of the mappings, as one transaction."""
        job = Job(
            lambda c: _execute_many(c, statement, rows), several=True, durable=statement.durable
        )
        answer: Rows = await self._writer.run(job)
        return answer

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` on a transaction; it must await only statements of the transaction."""
        answer: T = await self._writer.run(Job(lambda c: _run(work(_Transaction(c))), several=True))
        return answer

    async def has_table(self, name: str) -> bool:
        """Whether there is such a table."""
        found = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(await self._reader.run(Job(lambda c: c.execute(found, (name,)).fetchall())))

    async def close(self) -> None:
        """Finish the queued jobs, and close the file."""
        await self._reader.close()
        await self._writer.close()
        if self._at_hand is not None:
            self._at_hand.close()
            self._at_hand = None

    def read_at_once(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """Read on the event loop. Raises Busy where that would wait for another process, which
        happens while one recovers or closes the file.
        """
        if self._at_hand is None:
            self._at_hand = _connect(self._path, READ_ONLY, timeout=0)
        try:
            return _execute(self._at_hand, statement, values)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise Busy from error
            raise


class Busy(Exception):
    """The read would wait, so a thread must execute it."""


def _connect(path: str, pragmas: Sequence[str], timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


class _Transaction:
    """Its statements run synchronously when they are awaited."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Statement, /, **values: Any) -> Result:
        return _execute(self._connection, statement, values)

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        return _execute_many(self._connection, statement, rows)


def _execute(
    connection: sqlite3.Connection, statement: Statement, values: Mapping[str, Any]
) -> Result:
    sql, bind, row = statement.sqlite
    cursor = connection.execute(sql, bind(values))
    if row is None:
        return Result((), cursor.rowcount)
    rows = [row(raw) for raw in cursor.fetchall()]
    return Result(rows, len(rows))


def _execute_many(
    connection: sqlite3.Connection, statement: Statement, rows: Sequence[Mapping[str, Any]]
) -> Rows:
    return [row for values in rows for row in _execute(connection, statement, values).rows]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends. Raises RuntimeError where it does."""
    try:
        work.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    work.close()
    raise RuntimeError("a transaction awaited something else than its own statements")


@dataclass(slots=True, eq=False)
class Job:
    """Work for a thread, and its result. `several`: it has more than one statement."""

    work: Callable[[sqlite3.Connection], Any]
    several: bool = False
    durable: bool = True
    answer: Any = None
    error: Exception | None = None
    queued_at: float = 0.0
    waited: float = 0.0
    future: asyncio.Future[Any] = field(init=False)
    _ticket: list[None] = field(default_factory=lambda: [None], init=False)

    def take(self) -> bool:
        """Whether the caller may proceed: the thread with the job, or the waiting task with giving
        it up. True for one of them only, since popping from a list is atomic.
        """
        try:
            self._ticket.pop()
        except IndexError:
            return False
        return True

    def do(self, connection: sqlite3.Connection) -> None:
        """Store what the work returns or raises."""
        try:
            self.answer = self.work(connection)
        except Exception as error:  # noqa: BLE001  # it is raised where the result is awaited
            self.error = error


class _Threads:
    """Threads that take jobs from one queue, each with a connection; a `Pool` for metrics."""

    group = 1
    """How many queued jobs a thread takes at once."""

    def __init__(
        self, path: str, capability: str, name: str, limit: int, pragmas: Sequence[str]
    ) -> None:
        self.name = name
        self.limit = limit
        self.waited_s = 0.0
        """Of all jobs that found every thread busy."""
        self.missed = 0
        """How many were given up because the deadline was spent."""
        self._capability = capability
        self._path = path
        self._pragmas = pragmas
        self._given = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def in_use(self) -> int:
        """How many threads are busy."""
        return min(self._given, self.limit)

    async def run(self, job: Job) -> Any:
        """The result of the job. Only the wait for a thread is bounded by the deadline: if that is
        spent first, this raises DeadlineExceeded, and nothing was done. A thread completes the job
        that it has begun, also if the caller is cancelled.
        """
        job.future = asyncio.get_running_loop().create_future()
        busy = self._given >= self.limit
        if not busy and len(self._threads) <= self._given:
            self._start_thread()
        self._given += 1
        job.queued_at = time.perf_counter()
        self._jobs.put(job)
        try:
            if not busy:
                return await job.future
            async with asyncio.timeout(deadline.remaining()):
                return await asyncio.shield(job.future)
        except TimeoutError:
            if not job.take():
                return await job.future
            self._given -= 1
            self.missed += 1
            self.waited_s += time.perf_counter() - job.queued_at
            raise DeadlineExceeded(
                f"the deadline was spent before the store of {self._capability} was free"
            ) from None
        except asyncio.CancelledError:
            if job.take():
                self._given -= 1
            raise

    async def close(self) -> None:
        """Finish the queued jobs, and end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    def _start_thread(self) -> None:
        name = f"{self._capability} {self.name}"
        thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _live(self) -> None:
        connection: sqlite3.Connection | None = None
        while jobs := self._take():
            try:
                connection = connection or _connect(self._path, self._pragmas, BUSY_TIMEOUT_S)
                self._do(connection, jobs)
            except Exception as error:  # noqa: BLE001  # it is raised where results are awaited
                for job in jobs:
                    job.error = job.error or error
            with suppress(RuntimeError):  # the event loop is closed: no task waits
                jobs[0].future.get_loop().call_soon_threadsafe(self._settle, jobs)
        if connection is not None:
            connection.close()

    def _take(self) -> list[Job]:
        """Wait for the next jobs; none after `close`."""
        jobs: list[Job] = []
        while not jobs and (job := self._jobs.get()) is not None:
            if job.take():
                jobs.append(job)
        with suppress(Empty):
            while 0 < len(jobs) < self.group:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    break
                if job.take():
                    jobs.append(job)
        now = time.perf_counter()
        for job in jobs:
            job.waited = now - job.queued_at
        return jobs

    def _do(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.do(connection)

    def _settle(self, jobs: Sequence[Job]) -> None:
        """Set the results, on the event loop."""
        busy = self._given > self.limit
        for job in jobs:
            self._given -= 1
            if busy:
                self.waited_s += job.waited
            if job.future.done():
                continue  # the task that waited was cancelled
            if job.error is None:
                job.future.set_result(job.answer)
            else:
                job.future.set_exception(job.error)


class Writer(_Threads):
    """The one thread that writes. Jobs are committed together; each of them is atomic."""

    group = GROUP

    def __init__(self, path: str, capability: str, synchronous: str) -> None:
        pragmas = ("journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON")
        super().__init__(path, capability, "writer", 1, pragmas)
        self._synchronous = self._now = synchronous

    def _do(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        self._set(connection, self._synchronous if any(job.durable for job in jobs) else "NORMAL")
        if len(jobs) == 1 and not jobs[0].several:
            jobs[0].do(connection)  # a single statement is a transaction
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in jobs:
                self._do_one(connection, job)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _do_one(self, connection: sqlite3.Connection, job: Job) -> None:
        connection.execute("SAVEPOINT job")
        job.do(connection)
        if job.error is not None:
            if not connection.in_transaction:  # some errors, as a full disk, roll back all
                raise job.error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def _set(self, connection: sqlite3.Connection, synchronous: str) -> None:
        if synchronous != self._now:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._now = synchronous
