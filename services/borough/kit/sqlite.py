"""SQLite in a thread, and as seldom as can be.

aiosqlite crosses to its thread and back for every step of a statement: cursor, execute, fetch,
close. A crossing costs more than most statements. Here a statement is one of them, rows included;
a cursor is made and closed on this side, and nothing is rolled back where nothing was begun.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import aiosqlite

CHUNK = 64
"""Rows a crossing, for whoever iterates: nobody here does."""


class Connection(aiosqlite.Connection):
    """One connection and its thread. Needs one that may be used from any thread."""

    def __init__(self, opened: sqlite3.Connection) -> None:
        super().__init__(lambda: opened, iter_chunk_size=CHUNK)
        self._thread.daemon = True  # as SQLAlchemy does: it must not outlive us
        self.crossings = self._done = 0

    def cursor(self) -> "Cursor":  # type: ignore[override]  # SQLAlchemy enters whatever this is
        return Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """What was cancelled may be running still, and only afterwards be in a transaction."""
        if self.crossings != self._done or self._conn.in_transaction:
            await super().rollback()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._done += 1

        self.crossings += 1
        return await super()._execute(run)  # type: ignore[no-untyped-call]  # as the library has it


class Cursor(aiosqlite.Cursor):
    """Fetches what it executes, in the same crossing."""

    _conn: Connection
    _rows: list[Any]

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "Cursor":
        self._rows = await self._conn._execute(self._fetched, sql, tuple(parameters or ()))  # noqa: SLF001  # as the library does
        return self

    def _fetched(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        return self._cursor.execute(sql, parameters).fetchall()

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        self._cursor.close()
