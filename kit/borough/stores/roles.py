"""The role and the schema of a capability on PostgreSQL, made by a role that may make them.

Each capability has a role of its own, which owns one schema and sees no other. What is there
already stays as it is, passwords included: a release that runs gains a capability, and nothing that
it has is changed.
"""

from typing import Any

import asyncpg

from borough.config import WrongSettings
from borough.stores.schema import meaning
from borough.stores.sql import cannot_be_reached, parse
from borough.stores.turns import CONNECT_TIMEOUT_S

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('borough.roles'))"
_HAS_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
_ACTS_FOR = "SELECT pg_has_role(current_user, $1::name, 'USAGE')"
# Such statements take no parameters: the server itself quotes what goes into them.
_CREATE_ROLE = "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)"
_GRANT = "SELECT format('GRANT %I TO CURRENT_USER', $1::text)"
_CREATE_SCHEMA = (
    "SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', $1::text, $2::text)"
)


async def provide(admin: str, url: str, capability: str) -> None:
    """Make the role that `url` names, with its password, and the capability's schema, which that
    role owns; whatever is there already stays.

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
    if not await connection.fetchval(_ACTS_FOR, role):  # who is no superuser joins the owner first
        await connection.execute(await connection.fetchval(_GRANT, role))
    await connection.execute(await connection.fetchval(_CREATE_SCHEMA, schema, role))
