"""Preparing a database: a transaction of SQLAlchemy for schemas (stores have `Database`), and on
PostgreSQL the role and the schema of a capability, created by an administrator.

Each capability has its own role, which owns one schema and has access to no other. Existing roles
and schemas, passwords included, are not changed, so that a capability can be added to a running
release.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from borough.config import WrongSettings
from borough.stores.limits import CONNECT_TIMEOUT_S
from borough.stores.sql import cannot_be_reached, parse, says_away

T = TypeVar("T")

_REFUSED = ("28", "42501")
"""Prefixes of the SQLSTATE codes by which PostgreSQL refuses a role or its privileges."""


_LOCK = "SELECT pg_advisory_xact_lock(hashtext('borough.roles'))"
_HAS_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
_ACTS_FOR = "SELECT pg_has_role(current_user, $1::name, 'USAGE')"
# These statements take no parameters, so the server quotes the values.
_CREATE_ROLE = "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)"
_GRANT = "SELECT format('GRANT %I TO CURRENT_USER', $1::text)"
_CREATE_SCHEMA = (
    "SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', $1::text, $2::text)"
)


async def in_transaction(url: str, capability: str, work: Callable[[Connection], T]) -> T:
    """Run `work` as one transaction on the database of a capability. On SQLite it creates a missing
    file and excludes every other writer. Raises Unavailable and WrongSettings.
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
    """The error to raise for a failed migration: WrongSettings where the database refuses its role,
    Unavailable where it cannot work now; None for a defect.
    """
    if (getattr(error, "sqlstate", None) or "").startswith(_REFUSED):
        said = getattr(error, "__cause__", None) or error  # SQLAlchemy's text begins with a class
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


async def provide(admin: str, url: str, capability: str) -> None:
    """Create the role that `url` names, with its password, and the capability's schema, which that
    role owns; existing ones are not changed.

    `admin` is an address of the same database, by a role that may do so: a superuser, or one with
    CREATEROLE that may create in the database. Raises Unavailable and WrongSettings.
    """
    own, by = parse(url, capability), parse(admin, capability)
    if {own.drivername, by.drivername} != {"postgresql"} or own.username is None:
        raise WrongSettings(
            "an administrator makes roles on PostgreSQL, as BOROUGH_STORE names them"
        )
    try:
        connection = await asyncpg.connect(
            by.render_as_string(hide_password=False), timeout=CONNECT_TIMEOUT_S
        )
        try:
            async with connection.transaction():
                await _provide(connection, own.username, own.password, capability)
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_S)
    except asyncpg.PostgresError as error:
        if (known := meaning(error, capability)) is not None:
            raise known from None
        raise
    except (asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise cannot_be_reached(capability) from error


async def _provide(connection: Any, role: str, password: str | None, schema: str) -> None:
    await connection.execute(_LOCK)  # migrations of several images run at once
    if not await connection.fetchval(_HAS_ROLE, role):
        await connection.execute(await connection.fetchval(_CREATE_ROLE, role, password))
    if not await connection.fetchval(_ACTS_FOR, role):  # else it must join the owner first
        await connection.execute(await connection.fetchval(_GRANT, role))
    await connection.execute(await connection.fetchval(_CREATE_SCHEMA, schema, role))
