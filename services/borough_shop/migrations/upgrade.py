"""Runs Alembic on one capability's line, in one transaction that shuts out everybody else's."""

from functools import partial

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.schema import CreateSchema

from borough.config import WrongSettings
from borough.stores.schema import in_transaction
from borough.stores.sql import REVISIONS
from borough_shop.migrations import HERE, is_current, number


async def upgrade(url: str, capability: str, target: str) -> str:
    """Upgrade the schema to `target` unless it is there or beyond; answer where it is then."""
    work = partial(_upgrade, capability=capability, target=target)
    return await in_transaction(url, capability, work)


def _upgrade(connection: Connection, capability: str, target: str) -> str:
    if connection.dialect.name == "postgresql":  # on SQLite, BEGIN IMMEDIATE has shut the door
        name = func.hashtext(f"borough_shop.migrations.{capability}")
        connection.execute(select(func.pg_advisory_xact_lock(name)))
        if not inspect(connection).has_schema(capability):
            connection.execute(CreateSchema(capability))
    found = MigrationContext.configure(
        connection, opts={"version_table": REVISIONS}
    ).get_current_revision()
    if found is not None and number(found, capability) < 0:
        raise WrongSettings(f"BOROUGH_STORE: {found} stands where {capability} was to be kept")
    if found is not None and is_current(found, capability):
        return found
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    command.upgrade(config, target)
    return target
