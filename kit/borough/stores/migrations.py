"""Migration of schemas by revisions that only expand, in one sequence per capability.

Migrating is a command, never part of a start. An older version that finds a newer schema works with
it unchanged, so a rollback of the code needs no rollback of the data. Alembic runs the revisions in
one transaction, which excludes every other.
"""

import asyncio
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.schema import CreateSchema

from borough.config import WrongSettings
from borough.stores.revisions import head, is_current, number
from borough.stores.schema import in_transaction, provide
from borough.stores.sql import REVISIONS

HERE = Path(__file__).with_name("alembic")


def migrate(url: str, capability: str, folder: Path, *, admin: str = "") -> str:
    """Upgrade the capability's schema to its head; returns the revision it has then.

    `folder` has its revisions, a file CAPABILITY_NUMBER.py each. At the head, or at a later
    revision, nothing is done. `admin` is an address of the same PostgreSQL, by a role that creates
    the capability's role and schema if they are missing. Concurrent calls are safe. Blocks: never
    call it on an event loop. Raises WrongSettings and Unavailable.
    """

    async def run() -> str:
        if admin:
            await provide(admin, url, capability)
        work = partial(upgrade, capability=capability, folder=folder)
        return await in_transaction(url, capability, work)

    return asyncio.run(run())


def upgrade(connection: Connection, capability: str, folder: Path) -> str:
    """Execute the revisions that are missing, in the transaction of the connection; returns the
    last. Raises WrongSettings.
    """
    if connection.dialect.name == "postgresql":  # on SQLite, BEGIN IMMEDIATE excludes others
        name = func.hashtext(f"borough.migrations.{capability}")
        connection.execute(select(func.pg_advisory_xact_lock(name)))
        if not inspect(connection).has_schema(capability):
            connection.execute(CreateSchema(capability))
    found = MigrationContext.configure(
        connection, opts={"version_table": REVISIONS}
    ).get_current_revision()
    if found is not None and number(found, capability) < 0:
        raise WrongSettings(f"BOROUGH_STORE: {found} stands where {capability} was to be kept")
    if found is not None and is_current(found, capability, folder):
        return found
    target = head(capability, folder)
    config = Config(attributes={"connection": connection})
    for option, path in (("script_location", HERE), ("version_locations", folder)):
        config.set_main_option(option, str(path).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, target)
    return target
