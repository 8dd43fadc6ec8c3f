"""One capability's own database: a SQLite file or a PostgreSQL schema, and the same code for both.

Two ways in, each of them one transaction: `read` cannot write, and `write` on SQLite begins by
taking the right to, with BEGIN IMMEDIATE on the one connection of an engine of its own. By default
the driver begins at the first change, after the reads that led to it: two writers then decide on
what neither has written yet, and one update is lost in silence. PostgreSQL runs READ COMMITTED, and
every change that depends on a state says so in its WHERE.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import String, Table, column, event, inspect, make_url, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from borough.contracts.errors import Unavailable
from borough.kit.config import WrongSettings
from borough.kit.turns import Turns

REVISIONS = "alembic_version"
"""The table in which a database keeps its revision."""

RETRY_AFTER_S = 1
_BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 5

_AWAY = (
    *("08", "28", "3D", "40", "53", "55", "57", "58"),  # SQLSTATE classes, PostgreSQL's Appendix A
    *("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_LOCKED"),
)  # fmt: skip  # one line a database
"""How the codes begin by which a database says that it cannot be reached, or cannot work now."""


class Database:
    """The database of one capability. Its errors name the capability, never where it is kept."""

    def __init__(self, capability: str, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self.capability = capability
        self._reader = reader
        self._writer = writer
        self.begun = {"read": 0, "write": 0}
        """How many transactions of each kind."""
        shared = reader.pool is writer.pool
        reading = Turns(capability, "shared" if shared else "reader", _connections(reader))
        writing = reading if shared else Turns(capability, "writer", _connections(writer))
        self._may_read, self._may_write = reading, writing
        self.pools = (reading,) if shared else (reading, writing)

    @classmethod
    def open(
        cls,
        url: str,
        capability: str,
        *,
        synchronous: str = "FULL",
        pool_size: int = 5,
        command_timeout: float | None = 30,
    ) -> "Database":
        """The database at `url`; nothing is connected yet. Raises WrongSettings.

        `command_timeout` in seconds is for a PostgreSQL that went away in the middle of a command.
        """
        match address := parse(url, capability):
            case URL(drivername="sqlite"):
                return cls(capability, *_sqlite(address, synchronous, pool_size))
            case _:
                engines = _postgresql(address, capability, pool_size, command_timeout)
                return cls(capability, *engines)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that can only read. Raises Unavailable, and DeadlineExceeded as `write`
        does.
        """
        with self._reachable():
            async with (
                self._may_read,
                _connected(self._reader) as connection,
                connection.begin(),
            ):
                self.begun["read"] += 1
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back by any exception. Raises Unavailable,
        and when it does so at the end, the outcome is unknown; and DeadlineExceeded where the
        deadline is spent before there is a connection for it: then nothing was done.
        """
        with self._reachable():
            async with (
                self._may_write,
                _connected(self._writer) as connection,
                connection.begin(),
            ):
                self.begun["write"] += 1
                yield connection

    async def revision(self) -> str | None:
        """The revision of the schema; None where there was no migration yet. Raises Unavailable."""
        async with self.read() as connection:
            if not await connection.run_sync(lambda sync: inspect(sync).has_table(REVISIONS)):
                return None
            found = select(column("version_num", String)).select_from(table(REVISIONS))
            return await connection.scalar(found)

    async def close(self) -> None:
        """Give every connection back."""
        await self._reader.dispose()
        await self._writer.dispose()

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if not _is_away(error):
                raise
            raise self._unavailable() from error
        except (OSError, TimeoutError) as error:  # from asyncpg, while it connects
            raise self._unavailable() from error

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"the store of {self.capability} cannot be reached", retry_after=RETRY_AFTER_S
        )


def _connections(engine: AsyncEngine) -> int:
    """How many there can be."""
    return cast(QueuePool, engine.pool).size()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection. One who is cancelled in the middle of connecting finishes that first, and then
    gives up: nobody could close half a connection.
    """
    connecting = asyncio.ensure_future(engine.connect().start())
    try:
        connection = await asyncio.shield(connecting)
    except asyncio.CancelledError:
        with suppress(Exception):  # where connecting fails, they have still been told to go
            await (await connecting).close()
        raise
    async with AsyncExitStack() as stack:
        stack.push_async_exit(connection)
        yield connection


def insert(connection: AsyncConnection, into: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, which both databases spell alike and SQL does not."""
    return sqlite.insert(into) if connection.dialect.name == "sqlite" else postgresql.insert(into)


def parse(url: str, capability: str) -> URL:
    """The address of one capability's database. Raises WrongSettings, which shows no password."""
    try:
        address = make_url(url.replace("{capability}", capability))
    except (ArgumentError, ValueError):  # the second for a port that is no number
        address = URL.create("none")
    match address:
        case URL(drivername="sqlite", host=None, database=str(folder)) if folder != ":memory:":
            return address.set(database=str(Path(folder) / f"{capability}.db"))
        case URL(drivername="postgresql", database=str()):
            return address
    raise WrongSettings(
        "BOROUGH_STORE: write sqlite:///FOLDER or postgresql://USER:PASSWORD@HOST/DB"
    )


def _sqlite(address: URL, synchronous: str, pool_size: int) -> tuple[AsyncEngine, AsyncEngine]:
    reader = _sqlite_engine(address, pool_size, "query_only = ON")
    writer = _sqlite_engine(
        address, 1, "journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON"
    )
    event.listen(reader.sync_engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    event.listen(writer.sync_engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    return reader, writer


def _sqlite_engine(address: URL, size: int, *pragmas: str) -> AsyncEngine:
    from borough.kit.sqlite import Connection  # noqa: PLC0415  # a driver is loaded only where used

    async def connect() -> Connection:
        """Open the file here: aiosqlite would leave a thread behind for one it cannot open."""
        opened = sqlite3.connect(
            address.database or "",
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection = Connection(opened)
        await connection
        return connection

    engine = create_async_engine(
        address.set(drivername="sqlite+aiosqlite"),
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        async_creator=connect,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgresql(
    address: URL, capability: str, pool_size: int, command_timeout: float | None
) -> tuple[AsyncEngine, AsyncEngine]:
    engine = create_async_engine(
        address.set(drivername="postgresql+asyncpg"),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=0,
        connect_args={
            "server_settings": {
                "search_path": capability,
                "application_name": f"borough {capability}",
            },
            "timeout": _CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout,
        },
    )
    return engine.execution_options(postgresql_readonly=True), engine


def _is_away(error: DBAPIError) -> bool:
    """The rest are defects, and must look like it."""
    codes = (getattr(error.orig, name, None) or "" for name in ("sqlstate", "sqlite_errorname"))
    return error.connection_invalidated or any(code.startswith(_AWAY) for code in codes)
