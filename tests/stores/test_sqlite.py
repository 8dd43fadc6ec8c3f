"""Which transactions share a commit on SQLite, and does each of them stay isolated?"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.types import NullType

from borough.errors import Unavailable
from borough.stores.schema import in_transaction
from borough.stores.sql import Database, StatementFailed, Transaction
from borough.stores.sqlite import GROUP
from borough.stores.statements import Statement
from transactions import held_open

METADATA = MetaData()
THINGS = Table("things", METADATA, Column("n", Integer, primary_key=True))
ADD = Statement(insert(THINGS))
ADD_CHEAPLY = Statement(insert(THINGS), durable=False)
REMOVE = Statement(delete(THINGS).where(THINGS.c.n == bindparam("n")))
ALL = Statement(select(THINGS).order_by(THINGS.c.n))
COUNT = Statement(select(func.count().label("things")).select_from(THINGS))
SYNCHRONOUS = Statement(text("PRAGMA synchronous").columns(value=NullType))
FULL, NORMAL = 2, 1


class Interrupted(Exception):
    """An error in the middle of a transaction."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty table."""
    url = f"sqlite:///{tmp_path}"
    await in_transaction(url, "shop", METADATA.create_all)
    database = Database.open(url, "shop")
    yield database
    await database.close()


async def things(database: Database) -> list[int]:
    """What is in the table."""
    return [row.n for row in (await database.execute(ALL)).rows]


@asynccontextmanager
async def queued(
    database: Database, *work: Coroutine[Any, Any, object]
) -> AsyncIterator[list[asyncio.Task[object]]]:
    """Queue this work behind a held writing thread, in this order; it is done at the end."""
    async with held_open(database):
        tasks = [asyncio.create_task(one) for one in work]
        await asyncio.sleep(0)  # each task queues its work
        yield tasks
    await asyncio.wait(tasks)


async def add_two(tx: Transaction, first: int) -> int:
    """Add two; return the number of rows that the transaction sees."""
    await tx.execute(ADD, n=first)
    await tx.execute(ADD, n=first + 1)
    count: int = (await tx.execute(COUNT)).rows[0].things
    return count


async def test_queued_transactions_are_committed_together(database: Database) -> None:
    """Transactions see those before them, and all of them are committed at once."""
    async with queued(
        database,
        database.transaction(lambda tx: add_two(tx, 1)),
        database.execute(ADD, n=3),
        database.transaction(lambda tx: add_two(tx, 4)),
    ) as tasks:
        assert await things(database) == []
    assert [await task for task in (tasks[0], tasks[2])] == [2, 5]
    assert await things(database) == [1, 2, 3, 4, 5]


async def test_failed_transaction_leaves_the_others_of_its_group(database: Database) -> None:
    """An exception of its own or a refused statement: the rest is committed."""

    async def interrupted(tx: Transaction) -> None:
        await add_two(tx, 10)
        raise Interrupted

    async with queued(
        database,
        database.transaction(lambda tx: add_two(tx, 1)),
        database.transaction(interrupted),
        database.execute(ADD, n=1),
        database.execute_many(ADD, [{"n": 20}, {"n": 2}]),
        database.execute(ADD, n=3),
    ) as tasks:
        pass
    kinds = [type(task.exception()) for task in tasks]
    assert kinds == [type(None), Interrupted, StatementFailed, StatementFailed, type(None)]
    assert await things(database) == [1, 2, 3]


async def test_group_has_a_maximal_size(database: Database, tmp_path: Path) -> None:
    """With any number in the queue, the first commit does not wait for all of them."""
    committed: list[int] = []

    async def add(tx: Transaction, n: int) -> None:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as another:
            committed.append(another.execute("SELECT count(*) FROM things").fetchone()[0])
        await tx.execute(ADD, n=n)

    adding = (database.transaction(partial(add, n=n)) for n in range(2 * GROUP + 1))
    async with queued(database, *adding):
        pass
    assert committed == [0] * GROUP + [GROUP] * GROUP + [2 * GROUP]


async def test_cancelled_work_in_the_queue_is_not_done(database: Database) -> None:
    """It holds no thread."""
    async with queued(database, database.execute(ADD, n=1), database.execute(ADD, n=2)) as tasks:
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
    assert tasks[0].cancelled()
    assert await things(database) == [2]
    assert [pool.in_use for pool in database.pools] == [0, 0]


async def test_cancelled_work_that_has_begun_is_completed(database: Database) -> None:
    """A transaction is never left half done."""
    begun, go_on = threading.Event(), threading.Event()

    async def add(tx: Transaction) -> None:
        begun.set()
        go_on.wait()
        await add_two(tx, 1)

    task = asyncio.create_task(database.transaction(add))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.wait({task})
    go_on.set()
    await database.execute(ADD, n=3)
    assert task.cancelled()
    assert await things(database) == [1, 2, 3]


async def test_transaction_that_awaits_is_refused(database: Database) -> None:
    """It would hold the one connection that writes, in a thread without an event loop."""

    async def slow(tx: Transaction) -> None:
        await tx.execute(ADD, n=1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something else"):
        await database.transaction(slow)
    assert await things(database) == []


async def test_only_durable_transactions_wait_for_the_disk(database: Database) -> None:
    """Alone, and in a group with one that must be durable."""
    seen: list[int] = []

    async def look(tx: Transaction) -> None:
        seen.append((await tx.execute(SYNCHRONOUS)).rows[0].value)

    look_cheaply = Statement(text("PRAGMA synchronous").columns(value=NullType), durable=False)
    await database.transaction(look)
    seen.append((await database.execute(look_cheaply)).rows[0].value)
    await database.execute(ADD, n=1)
    await database.execute(ADD_CHEAPLY, n=2)
    await database.transaction(look)
    async with queued(database, database.execute(ADD_CHEAPLY, n=3), database.transaction(look)):
        pass
    assert seen == [FULL, NORMAL, FULL, FULL]
    assert await things(database) == [1, 2, 3]


async def test_missing_file_is_opened_again(tmp_path: Path) -> None:
    """A thread that could not connect tries again with its next work."""
    url = f"sqlite:///{tmp_path / 'later'}"
    database = Database.open(url, "shop")
    with pytest.raises(Unavailable):
        await database.execute(ADD, n=1)
    await in_transaction(url, "shop", METADATA.create_all)
    await database.execute(ADD, n=1)
    assert await things(database) == [1]
    await database.close()


async def test_other_exception_in_the_thread_is_raised_to_the_caller(tmp_path: Path) -> None:
    """An exception of the driver that is no SQLite error; the thread continues with its next
    work.
    """
    database = Database.open(f"sqlite:///{tmp_path}/\0", "shop")
    for _ in range(2):
        with pytest.raises(ValueError, match="null"):
            await database.execute(ADD, n=1)
    await database.close()


async def test_row_is_read_by_its_key_without_a_thread(database: Database) -> None:
    """Also during a write; by a thread where another process holds an exclusive lock on the
    file.
    """
    one = Statement(select(THINGS).where(THINGS.c.n == bindparam("n")), brief=True)
    await database.execute(ADD, n=1)
    async with held_open(database, Statement(delete(THINGS))):
        reading = database.execute(one, n=1)
        with pytest.raises(StopIteration) as answered:
            reading.send(None)
    assert [row.n for row in answered.value.value.rows] == [1]
    assert (await database.execute(one, n=1)).count == 0


async def test_read_of_a_locked_file_waits_in_a_thread(tmp_path: Path) -> None:
    """The event loop is not blocked."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE things (n INTEGER)")
        other.execute("INSERT INTO things VALUES (1)")
        other.execute("BEGIN EXCLUSIVE")  # without WAL, this locks out readers
        database = Database.open(f"sqlite:///{tmp_path}", "shop")
        one = Statement(select(THINGS).where(THINGS.c.n == bindparam("n")), brief=True)
        reading = asyncio.create_task(database.execute(one, n=1))
        while not any(pool.in_use for pool in database.pools):
            await asyncio.sleep(0)
        other.execute("COMMIT")
        assert (await reading).count == 1
    await database.close()
