"""How often does a SQLite connection cross to its thread, and is nothing lost by the saving?"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from borough.kit.sqlite import Connection


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    opened = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    connection = Connection(opened)
    await connection
    await connection.execute("CREATE TABLE thing (name TEXT)")
    yield connection
    await connection.close()


async def test_a_statement_and_its_rows_are_one_crossing(connection: Connection) -> None:
    """Cursor, execute, fetch and close together."""
    before = connection.crossings
    cursor = await connection.cursor().execute("SELECT ?", [7])
    assert await cursor.fetchall() == [(7,)]
    await cursor.close()
    assert connection.crossings - before == 1


async def test_what_was_not_begun_is_not_rolled_back(connection: Connection) -> None:
    """The pool asks for it at every return; most have committed."""
    before = connection.crossings
    await connection.rollback()
    assert connection.crossings == before


async def test_a_transaction_that_begins_after_its_caller_left_is_rolled_back(
    connection: Connection,
) -> None:
    """Who is cancelled while BEGIN waits its turn leaves no transaction behind."""
    turn = threading.Event()
    holding = asyncio.ensure_future(connection._execute(turn.wait))  # noqa: SLF001  # keeps the thread busy
    begin = asyncio.ensure_future(connection.cursor().execute("BEGIN IMMEDIATE"))
    await asyncio.sleep(0)
    begin.cancel()
    rollback = asyncio.ensure_future(connection.rollback())
    await asyncio.sleep(0)
    turn.set()
    await asyncio.gather(holding, rollback)
    assert not connection.in_transaction
