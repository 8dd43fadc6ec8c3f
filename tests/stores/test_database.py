"""Is a transaction atomic where it fails, waits or is cancelled, and is the error accurate?"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import String, bindparam, text
from sqlalchemy.types import NullType

from borough import deadline
from borough.config import WrongSettings
from borough.errors import DeadlineExceeded, Unavailable
from borough.stores.sql import Database, StatementFailed, Transaction
from borough.stores.statements import Statement
from borough.testing.clock import MORNING
from borough_shop.profiles.store import SqlProfiles
from shop.samples import a_profile
from transactions import held_open

Open = Callable[[str, str], Database]
RENAME = Statement(text("UPDATE profiles SET name = name || '!'"))
ONE = Statement(text("SELECT 1 AS one").columns(one=NullType))


class Interrupted(Exception):
    """An error in the middle of a transaction."""


@pytest.fixture
async def database(store_url: str, open_database: Open) -> Database:
    """The profiles, with Ada among them."""
    database = open_database(store_url, "profiles")
    await SqlProfiles(database).upsert(a_profile(), MORNING)
    return database


async def name(database: Database) -> str:
    """The name in Ada's profile: one exclamation mark for each committed change."""
    profile = await SqlProfiles(database).get("ada")
    assert profile is not None
    return profile.name


async def rename_twice(tx: Transaction) -> None:
    """A transaction that adds two marks or none."""
    await tx.execute(RENAME)
    await tx.execute(RENAME)


async def test_transaction_commits_at_its_end(database: Database) -> None:
    """The next read returns what it wrote."""
    await database.transaction(rename_twice)

    assert await name(database) == "Ada!!"


async def test_exception_rolls_a_transaction_back(database: Database) -> None:
    """The exception is raised unchanged."""

    async def interrupted(tx: Transaction) -> None:
        await tx.execute(RENAME)
        raise Interrupted

    with pytest.raises(Interrupted):
        await database.transaction(interrupted)

    assert await name(database) == "Ada"


async def test_write_is_not_visible_before_its_commit(database: Database) -> None:
    """Readers are not blocked meanwhile, and read the former value."""
    async with held_open(database, RENAME):
        assert await name(database) == "Ada"
    assert await name(database) == "Ada!"


async def test_more_writers_than_connections_all_commit(database: Database) -> None:
    """Each commits, none is lost, none times out."""
    await asyncio.gather(*(database.execute(RENAME) for _ in range(60)))

    assert await name(database) == "Ada" + 60 * "!"


async def test_writer_cancelled_at_any_step_commits_all_or_nothing(database: Database) -> None:
    """The next transaction is not blocked."""
    finished = 0

    async def rename() -> None:
        nonlocal finished
        await database.transaction(rename_twice)
        finished += 1

    for steps in range(40):
        task = asyncio.create_task(rename())
        for _ in range(steps):
            await asyncio.sleep(0)  # a step, not a pause
        task.cancel()
        await asyncio.wait({task})
    await rename()

    marks = (await name(database)).count("!")
    assert marks % 2 == 0
    assert marks >= 2 * finished


async def test_cancelled_writers_do_not_block_the_others(database: Database) -> None:
    """Writers in the queue get the connection after those before them are cancelled."""
    tasks = [asyncio.create_task(database.execute(RENAME)) for _ in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.wait(tasks)

    assert all(task.cancelled() for task in tasks[::2])
    assert not any(task.cancelled() or task.exception() for task in tasks[1::2])
    await database.execute(RENAME)
    assert (
        21 <= (await name(database)).count("!") <= 41
    )  # a transaction that had begun may have been committed


async def test_wait_for_a_connection_ends_with_the_deadline(store_url: str) -> None:
    """A call that timed out wrote nothing and holds nothing; with a free connection there is no
    wait.
    """
    database = Database.open(store_url, "profiles", pool_size=1)
    await SqlProfiles(database).upsert(a_profile(), MORNING)
    with deadline.within(0):
        async with held_open(database, RENAME):
            with pytest.raises(DeadlineExceeded, match="the store of profiles"):
                await database.execute(RENAME)
        assert (await database.execute(ONE)).count == 1
    assert await name(database) == "Ada!"
    await database.close()


async def test_datetime_without_a_zone_is_refused(database: Database) -> None:
    """Its instant would depend on the machine."""
    with pytest.raises(ValueError, match="no time zone"):
        await SqlProfiles(database).upsert(a_profile(), datetime(2026, 1, 1))  # noqa: DTZ001  # the point


async def test_defect_is_not_reported_as_unavailable(database: Database) -> None:
    """A retry would not help."""
    with pytest.raises(StatementFailed, match="no_such_table"):
        await database.execute(Statement(text("SELECT * FROM no_such_table")))


async def test_parameters_of_a_statement_are_not_in_its_error(database: Database) -> None:
    """An error is logged; a card token must not be. PostgreSQL quotes the row in its detail."""
    add = text("INSERT INTO profiles (customer_id, card_token) VALUES ('eve', :secret)")
    with pytest.raises(StatementFailed, match="profiles") as caught:
        await database.execute(
            Statement(add.bindparams(bindparam("secret", type_=String))), secret="tok_secret"
        )

    assert "tok_secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all",
        "postgresql://ada:opensesame@/shop?host=/nowhere",
        "postgresql://ada:opensesame@127.0.0.1:1/shop",
    ],
)
async def test_error_of_an_unavailable_store_names_its_capability_only(
    url: str, open_database: Open
) -> None:
    """Neither its address nor its password."""
    database = open_database(url, "profiles")

    for attempt in (database.revision(), SqlProfiles(database).upsert(a_profile(), MORNING)):
        with pytest.raises(Unavailable) as caught:
            await attempt
        assert str(caught.value) == "the store of profiles cannot be reached"
        assert caught.value.retry_after


async def test_cancellation_while_connecting_is_raised_also_where_connecting_fails(
    open_database: Open,
) -> None:
    """A loop that took it for an ordinary failure would continue, and its part would never end."""
    asked, refuse = asyncio.Event(), asyncio.Event()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await refuse.wait()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = open_database(f"postgresql://ada@127.0.0.1:{port}/shop", "profiles")
        reading = asyncio.create_task(database.revision())
        await asked.wait()
        reading.cancel()
        refuse.set()
        await asyncio.wait({reading})

    assert reading.cancelled()


async def test_lost_connection_fails_one_transaction_at_most(
    postgresql_url: str, open_database: Open
) -> None:
    """One whose loss is detected before it is used fails none."""
    database = open_database(postgresql_url, "profiles")
    other = open_database(postgresql_url, "orders")
    await database.revision()
    await other.execute(
        Statement(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    )

    with suppress(Unavailable):
        await database.revision()
    assert await database.revision() == "profiles_0001"


async def test_command_without_an_answer_times_out(postgresql_url: str) -> None:
    """A server that stopped answering must not hold a connection for ever."""
    database = Database.open(postgresql_url, "profiles", pool_size=1, command_timeout=0.1)

    with pytest.raises(Unavailable):
        await database.execute(Statement(text("SELECT pg_sleep(600)")))
    await database.close()


async def test_sqlite_has_the_configured_durability(sqlite_url: str) -> None:
    """WAL always; FULL, the default, survives a power cut, and NORMAL a crash."""
    for synchronous, expected in (("FULL", 2), ("NORMAL", 1)):
        database = Database.open(sqlite_url, "orders", synchronous=synchronous)

        async def pragmas_of(tx: Transaction) -> list[object]:
            names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            found = [Statement(text(f"PRAGMA {n}").columns(value=NullType)) for n in names]
            return [(await tx.execute(pragma)).rows[0].value for pragma in found]

        pragmas = await database.transaction(pragmas_of)
        await database.close()
        assert pragmas == ["wal", expected, 30_000, 1]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://ada:opensesame@host/db",
     "postgresql://ada:opensesame@host", "postgresql://ada:opensesame@host:port/db"],
)  # fmt: skip  # as a table
def test_invalid_url_is_refused_without_showing_it(url: str) -> None:
    """The error names the setting and its allowed values."""
    with pytest.raises(WrongSettings, match="BOROUGH_STORE") as caught:
        Database.open(url, "orders")

    assert "opensesame" not in str(caught.value)


async def test_url_may_contain_the_capability(
    migrated_sqlite: Path, tmp_path: Path, open_database: Open
) -> None:
    """So that each can have a host, a role or a folder of its own."""
    (tmp_path / "of-orders").symlink_to(migrated_sqlite)

    database = open_database(f"sqlite:///{tmp_path}/of-{{capability}}", "orders")

    assert await database.revision() == "orders_0001"


async def test_stored_datetimes_are_utc(database: Database) -> None:
    """The table has one zone."""
    stored = Statement(text("SELECT updated_at FROM profiles").columns(at=NullType))
    found = (await database.execute(stored)).rows[0].at

    moment = datetime.fromisoformat(found) if isinstance(found, str) else found
    assert moment is not None
    assert moment.replace(tzinfo=UTC) == MORNING
