"""Do the migrations make the tables that the stores use, once, also where several run at a time?"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, column, inspect, table, text

from borough.config import WrongSettings
from borough.errors import Unavailable
from borough.stores.migrations import HERE, migrate
from borough.stores.revisions import head, is_current
from borough.stores.schema import in_transaction
from borough.stores.sql import REVISIONS, Database
from borough.stores.statements import Statement
from borough_shop.app import APP

Open = Callable[[str, str], Database]

TABLES: dict[str, MetaData] = {
    name: import_module(definition.sql.__module__).TABLES
    for name, definition in APP.definitions.items()
}


def folder(capability: str) -> Path:
    """The folder of the revisions of a capability."""
    return APP.definitions[capability].migrations


revisions = table(REVISIONS, column("version_num"))

ASPECTS = (
    "get_columns",
    "get_pk_constraint",
    "get_unique_constraints",
    "get_check_constraints",
    "get_foreign_keys",
    "get_indexes",
)


def differences(connection: Connection, metadata: MetaData) -> list[object]:
    """What a migration would have to change to make the tables those of the code."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found: list[object] = compare_metadata(context, metadata)
    return found


def schema_of(connection: Connection) -> dict[str, object]:
    """Everything the database stores about its tables."""
    known = inspect(connection)
    return {
        f"{name} {aspect}": in_words(getattr(known, aspect)(name))
        for name in known.get_table_names()
        if name != REVISIONS
        for aspect in ASPECTS
    }


def in_words(facts: object) -> object:
    """Types and expressions as text; as objects they equal only themselves."""
    if isinstance(facts, dict):
        return {key: in_words(value) for key, value in facts.items()}
    return [in_words(fact) for fact in facts] if isinstance(facts, list) else str(facts)


async def test_migrated_schema_is_the_one_the_code_uses(store_url: str) -> None:
    """Alembic finds nothing to change in any capability."""
    found = {}
    for capability, tables in TABLES.items():
        find = partial(differences, metadata=tables)
        found[capability] = await in_transaction(store_url, capability, find)

    assert found == {capability: [] for capability in TABLES}


async def test_unexpected_column_is_found(store_url: str) -> None:
    """The comparison above can fail."""

    def stray(connection: Connection) -> list[object]:
        connection.execute(text("ALTER TABLE outbox ADD COLUMN stray INTEGER"))
        return differences(connection, TABLES["orders"])

    (found,) = await in_transaction(store_url, "orders", stray)

    assert isinstance(found, tuple)
    assert found[0] == "remove_column"


async def test_migrating_and_creating_make_the_same(store_url: str) -> None:
    """Also what Alembic does not compare: checks, partial indexes, names."""
    for capability, tables in TABLES.items():

        def both(connection: Connection, tables: MetaData = tables) -> tuple[object, object]:
            migrated = schema_of(connection)
            tables.drop_all(connection)
            tables.create_all(connection)
            return migrated, schema_of(connection)

        migrated, created = await in_transaction(store_url, capability, both)

        assert migrated
        assert migrated == created


async def test_migrating_again_does_nothing(empty_store_url: str, open_database: Open) -> None:
    """It returns the revision, makes the folder or schema first, and is current then."""
    for capability in TABLES:
        answers = [
            await asyncio.to_thread(migrate, empty_store_url, capability, folder(capability))
            for _ in range(2)
        ]

        assert answers == [head(capability, folder(capability))] * 2
        revision = await open_database(empty_store_url, capability).revision()
        assert is_current(revision, capability, folder(capability))


async def test_later_revision_is_not_changed(store_url: str, open_database: Open) -> None:
    """An older image that migrates after a newer one succeeds, changes nothing, and can serve."""
    database = open_database(store_url, "orders")
    await database.execute(Statement(revisions.update().values(version_num="orders_0042")))

    assert await asyncio.to_thread(migrate, store_url, "orders", folder("orders")) == "orders_0042"
    assert await database.revision() == "orders_0042"
    assert is_current("orders_0042", "orders", folder("orders"))


async def test_schema_of_another_capability_is_refused(store_url: str, open_database: Open) -> None:
    """A store that holds the tables of another capability is refused, and is not changed."""
    database = open_database(store_url, "orders")
    await database.execute(Statement(revisions.update().values(version_num="profiles_0001")))

    with pytest.raises(WrongSettings, match="profiles_0001"):
        await asyncio.to_thread(migrate, store_url, "orders", folder("orders"))
    assert not is_current(await database.revision(), "orders", folder("orders"))


async def test_database_without_migration_has_no_revision(
    empty_postgresql_url: str, open_database: Open
) -> None:
    """Such a part is not ready, and reports the reason."""
    assert await open_database(empty_postgresql_url, "orders").revision() is None
    assert not is_current(None, "orders", folder("orders"))


async def test_concurrent_migrations_are_safe(empty_store_url: str, open_database: Open) -> None:
    """Of several processes one migrates, the others find it done."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "borough", "migrate", "orders"),
            env={**os.environ, "BOROUGH_STORE": empty_store_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))

    assert outputs == [(b"orders: orders_0001\n", b"")] * 4
    assert await open_database(empty_store_url, "orders").revision() == "orders_0001"


def test_unavailable_database_stops_the_migration() -> None:
    """With the same error as every other use."""
    url = "postgresql://ada:opensesame@127.0.0.1:1/shop"
    with pytest.raises(Unavailable, match="the store of orders cannot be reached"):
        migrate(url, "orders", folder("orders"))


@pytest.mark.parametrize("capability", TABLES)
def test_revisions_are_in_the_order_of_their_numbers(capability: str) -> None:
    """The number is the position in the sequence, so a later revision is recognised without its
    file.
    """
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(folder(capability)))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory.from_config(config)
    last = head(capability, folder(capability))
    assert script.get_heads() == [last]
    line = [step.revision for step in script.iterate_revisions(last, "base")]
    assert line == [f"{capability}_{n:04}" for n in range(len(line), 0, -1)]


def test_folder_without_a_revision_is_named(tmp_path: Path) -> None:
    """A capability that stores rows and has no migration is refused with an error."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(WrongSettings, match=r"loans has no migration: there is no loans_0001\.py"):
        head("loans", tmp_path)
