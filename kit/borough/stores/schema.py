"""SQLAlchemy's own connection, for what makes or reads a schema; stores have `Database`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from borough.config import WrongSettings
from borough.stores.sql import cannot_be_reached, parse, says_away
from borough.stores.turns import CONNECT_TIMEOUT_S

T = TypeVar("T")

_REFUSED = ("28", "42501")
"""How the codes begin by which PostgreSQL refuses a role, or what the role wants to do."""


async def in_transaction(url: str, capability: str, work: Callable[[Connection], T]) -> T:
    """Run `work` as one transaction on the database of a capability, which on SQLite is made where
    there is none, and shuts out every other writer. Raises Unavailable and WrongSettings.
    """
    address = parse(url, capability)
    try:
        if address.drivername == "sqlite":
            return await asyncio.to_thread(_on_sqlite, address, work)
        return await _on_postgresql(address, capability, work)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise cannot_be_reached(capability) from error
        if (known := meaning(error.orig, capability)) is not None:
            raise known from error
        raise
    except (OSError, TimeoutError) as error:  # from asyncpg, while it connects
        raise cannot_be_reached(capability) from error


def meaning(error: BaseException | None, capability: str) -> Exception | None:
    """What stops a migration: WrongSettings where the database refuses its role, Unavailable where
    it cannot work now; None for a defect.
    """
    if (getattr(error, "sqlstate", None) or "").startswith(_REFUSED):
        said = getattr(error, "__cause__", None) or error  # SQLAlchemy's own begins with a class
        return WrongSettings(
            f"the database refuses the role of {capability}: {said}. Make its role and schema by "
            "hand, or name an administrator who may: `borough migrate --admin`"
        )
    return cannot_be_reached(capability) if says_away(error) else None


def _on_sqlite(address: URL, work: Callable[[Connection], T]) -> T:
    Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address, hide_parameters=True, poolclass=NullPool, connect_args={"isolation_level": None}
    )
    event.listen(engine, "connect", lambda opened, _: opened.execute("PRAGMA journal_mode = WAL"))
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        return work(connection)


async def _on_postgresql(address: URL, capability: str, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(
        address.set(drivername="postgresql+asyncpg"),
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "server_settings": {"search_path": capability}},
    )
    async with engine.begin() as connection:
        return await connection.run_sync(work)
