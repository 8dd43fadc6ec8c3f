"""Runs Alembic on one capability's line, in one transaction that shuts out everybody else's."""

from functools import partial
from importlib.resources import as_file
from importlib.resources.abc import Traversable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.schema import CreateSchema

from borough.config import WrongSettings
from borough.stores.migrations import head, is_current, number
from borough.stores.roles import provide
from borough.stores.schema import in_transaction
from borough.stores.sql import REVISIONS

HERE = Path(__file__).with_name("alembic")


async def upgrade(url: str, capability: str, folder: Traversable, admin: str) -> str:
    """Upgrade the schema to the head of the folder unless it is there or beyond; answer where it is
    then. An administrator, if one is named, first makes what there is not.
    """
    if admin:
        await provide(admin, url, capability)
    work = partial(_upgrade, capability=capability, folder=folder)
    return await in_transaction(url, capability, work)


def _upgrade(connection: Connection, capability: str, folder: Traversable) -> str:
    if connection.dialect.name == "postgresql":  # on SQLite, BEGIN IMMEDIATE has shut the door
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
    with as_file(folder) as revisions:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", _literal(HERE))
        config.set_main_option("version_locations", _literal(revisions))
        config.set_main_option("path_separator", "newline")
        command.upgrade(config, target)
    return target


def _literal(path: Path) -> str:
    return str(path).replace("%", "%%")
