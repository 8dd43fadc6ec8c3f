"""The database of one capability, a SQLite file or a PostgreSQL schema, with one interface.

A statement is a transaction of its own (`execute`), or several are one (`transaction`). Each
transaction is atomic.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import String, column, make_url, select, table
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from borough.config import WrongSettings
from borough.errors import DeadlineExceeded, Unavailable
from borough.stores.limits import Pool
from borough.stores.statements import Result, Rows, Statement

REVISIONS = "alembic_version"
"""The table with the revision of a database."""

RETRY_AFTER_S = 1
_AWAY = (
    *("08", "28", "3D", "40", "53", "55", "57", "58"),  # SQLSTATE classes, PostgreSQL's Appendix A
    *("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_LOCKED"),
)  # fmt: skip  # one line a database
"""Prefixes of the error codes for a database that cannot be reached, or cannot work now."""

_REVISION = Statement(select(column("version_num", String)).select_from(table(REVISIONS)))

T = TypeVar("T")


class StatementFailed(Exception):
    """The database refused a statement: a defect, so that a repetition would not help. The message
    has no values of the statement, since they may be secret.
    """


class Transaction(Protocol):
    """Statements that are committed together, or not at all."""

    async def execute(self, statement: Statement, /, **values: Any) -> Result:
        """Execute a statement with these values of its parameters."""
        ...

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Execute a statement with a RETURNING once for each mapping; returns the rows of all."""
        ...


class Driver(Protocol):
    """One kind of database. It raises the `failures` of its library; `is_lost` returns whether a
    lost connection caused one of them.
    """

    @property
    def pools(self) -> Sequence[Pool]: ...
    @property
    def failures(self) -> tuple[type[Exception], ...]: ...
    def is_lost(self, error: Exception) -> bool: ...

    async def execute(self, statement: Statement, values: Mapping[str, Any]) -> Result: ...
    async def execute_many(
        self, statement: Statement, rows: Sequence[Mapping[str, Any]]
    ) -> Rows: ...
    async def transaction(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T: ...
    async def has_table(self, name: str) -> bool: ...
    async def close(self) -> None: ...


class Database:
    """The database of one capability. Its errors name the capability, never the address."""

    def __init__(self, capability: str, driver: Driver) -> None:
        self.capability = capability
        self._driver = driver
        self.begun = {"read": 0, "write": 0}
        """How many transactions of each kind were begun, committed or rolled back."""
        self.pools = driver.pools

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

        `command_timeout` in seconds bounds the wait for a response of PostgreSQL.
        """
        address = parse(url, capability)
        if address.drivername == "sqlite":
            from borough.stores.sqlite import Sqlite  # noqa: PLC0415  # a driver is loaded only where used

            path = address.database or ""
            return cls(capability, Sqlite(path, capability, synchronous, pool_size))
        from borough.stores.postgresql import Postgresql  # noqa: PLC0415  # as above

        dsn = address.render_as_string(hide_password=False)
        return cls(capability, Postgresql(dsn, capability, pool_size, command_timeout))

    async def execute(self, statement: Statement, /, **values: Any) -> Result:
        """Execute one statement, which is a transaction of its own. Raises Unavailable, and then
        the outcome is unknown; DeadlineExceeded where the deadline is spent before there is a
        connection for it, and then nothing was done; StatementFailed.
        """
        kind = "read" if statement.reads else "write"
        return await self._asked(kind, self._driver.execute(statement, values))

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Execute a statement with a RETURNING once for each mapping, as one transaction. Returns
        the rows of all, in the order of the mappings. Raises as `execute` does.
        """
        return await self._asked("write", self._driver.execute_many(statement, rows))

    async def transaction(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """Run `work` as one transaction: committed at its end, rolled back by any exception. Raises
        as `execute` does. `work` must await only statements of its transaction.
        """
        return await self._asked("write", self._driver.transaction(work))

    async def revision(self) -> str | None:
        """The revision of the schema; None if it was never migrated. Raises Unavailable."""
        if not await self._asked("read", self._driver.has_table(REVISIONS)):
            return None
        row = (await self.execute(_REVISION)).first()
        return None if row is None else row.version_num

    async def close(self) -> None:
        """Close every connection."""
        await self._driver.close()

    async def _asked(self, kind: str, work: Coroutine[Any, Any, T]) -> T:
        begun = True
        try:
            return await work
        except DeadlineExceeded:
            begun = False
            raise
        except self._driver.failures as error:
            if says_away(error) or self._driver.is_lost(error):
                raise cannot_be_reached(self.capability) from error
            said = f"the store of {self.capability}: {type(error).__name__}: {error.args[0]}"
            raise StatementFailed(said) from None  # its cause may contain a value
        finally:
            self.begun[kind] += begun


def says_away(error: BaseException | None) -> bool:
    """Whether this error means that a database cannot work now; any other is a defect."""
    codes = (getattr(error, name, None) or "" for name in ("sqlstate", "sqlite_errorname"))
    return any(code.startswith(_AWAY) for code in codes)


def cannot_be_reached(capability: str) -> Unavailable:
    """The error for callers, without the store's address or the cause."""
    return Unavailable(f"the store of {capability} cannot be reached", retry_after=RETRY_AFTER_S)


def parse(url: str, capability: str) -> URL:
    """The address of one capability's database. Raises WrongSettings, which shows no password."""
    try:
        address = make_url(url.replace("{capability}", capability))
    except (ArgumentError, ValueError):  # ValueError for a port that is not a number
        address = URL.create("none")
    match address:
        case URL(drivername="sqlite", host=None, database=str(folder)) if folder != ":memory:":
            return address.set(database=str(Path(folder) / f"{capability}.db"))
        case URL(drivername="postgresql", database=str()):
            return address
    raise WrongSettings(
        "BOROUGH_STORE: write sqlite:///FOLDER or postgresql://USER:PASSWORD@HOST/DB"
    )
