"""PostgreSQL through asyncpg, READ COMMITTED: every change that depends on a state has that in its
WHERE. The search path of a connection is the schema of the capability.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import asyncpg

from borough.errors import BoroughError
from borough.stores.limits import CONNECT_TIMEOUT_S, ConnectionLimit
from borough.stores.statements import Result, Rows, Statement

T = TypeVar("T")


class Postgresql:
    """A schema of a database at `url`; nothing is connected before it is used. `command_timeout` in
    seconds bounds the wait for a server that stops responding during a command.
    """

    failures = (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        TimeoutError,
    )

    def __init__(self, url: str, capability: str, size: int, command_timeout: float | None) -> None:
        self._limit = ConnectionLimit(capability, "shared", size)
        self.pools = (self._limit,)
        self._idle: list[Any] = []
        self._connect = partial(
            asyncpg.connect,
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=command_timeout,
            server_settings={
                "search_path": capability,
                "application_name": f"borough {capability}",
                "default_transaction_isolation": "read committed",
            },
        )

    async def execute(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """Execute one statement, which is a transaction of its own."""
        return await self._on_connection(lambda c: _execute(c, statement, values))

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Execute a statement once for each of the mappings, as one transaction."""
        return await self._on_connection(lambda c: _execute_many(c, statement, rows))

    async def transaction(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Run `work` on a transaction."""

        async def run(connection: Any) -> T:
            async with connection.transaction():
                return await work(_Transaction(connection))

        return await self._on_connection(run)

    async def has_table(self, name: str) -> bool:
        """Whether there is such a table in the schema."""
        sql = "SELECT to_regclass($1)::text"
        return await self._on_connection(lambda c: c.fetchval(sql, name)) is not None

    async def close(self) -> None:
        """Close every connection."""
        while self._idle:
            await self._idle.pop().close(timeout=CONNECT_TIMEOUT_S)

    async def _on_connection(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Run `work` on a connection that is outside of any transaction. One whose state is unknown
        after a failure or a cancellation is closed, and not used again.
        """
        async with self._limit:
            connection = self._an_idle_one() or await self._connect()
            sound = False
            try:
                answer = await work(connection)
                sound = True
            except (asyncpg.PostgresError, BoroughError):
                sound = True  # the server, or a business rule, refused
                raise
            finally:
                if sound and not connection.is_closed() and not connection.is_in_transaction():
                    self._idle.append(connection)
                else:
                    connection.terminate()
            return answer

    def _an_idle_one(self) -> Any:
        """An open idle connection; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def is_lost(self, error: Exception) -> bool:
        """Whether a connection broke, was closed, was not made or timed out.

        asyncpg raises InternalClientError if the server disconnects while a statement is sent.
        """
        lost = OSError | TimeoutError | asyncpg.InternalClientError
        return isinstance(error, lost) or "closed" in str(error)


class _Transaction:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: Statement, /, **values: Any) -> Result:
        return await _execute(self._connection, statement, values)

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        return await _execute_many(self._connection, statement, rows)


async def _execute(connection: Any, statement: Statement, values: Mapping[str, Any]) -> Result:
    sql, bind, row = statement.postgresql
    if row is None:
        status: str = await connection.execute(sql, *bind(values))  # such as "UPDATE 1"
        return Result((), int(status.rpartition(" ")[2]))
    rows = [row(raw) for raw in await connection.fetch(sql, *bind(values))]
    return Result(rows, len(rows))


async def _execute_many(
    connection: Any, statement: Statement, rows: Sequence[Mapping[str, Any]]
) -> Rows:
    sql, bind, row = statement.postgresql
    assert row is not None  # noqa: S101  # it has a RETURNING
    return [row(raw) for raw in await connection.fetchmany(sql, [bind(values) for values in rows])]
