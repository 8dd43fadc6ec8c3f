"""Does a transaction hold, whoever fails, waits or is cancelled, and say so when it cannot?"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from borough.contracts.errors import DeadlineExceeded, Unavailable
from borough.kit import deadline
from borough.kit.config import WrongSettings
from borough.kit.sql import Database
from borough.profiles.store import SqlProfiles
from borough.testing.clock import MORNING
from borough.testing.samples import a_profile

Open = Callable[[str, str], Database]
RENAME = text("UPDATE profiles SET name = name || '!'")


class Interrupted(Exception):
    """Something went wrong in the middle."""


@pytest.fixture
async def database(store_url: str, open_database: Open) -> Database:
    """The profiles, with Ada among them."""
    database = open_database(store_url, "profiles")
    await SqlProfiles(database).upsert(a_profile(), MORNING)
    return database


async def name(database: Database) -> str:
    """What Ada is called: one exclamation mark for each committed change."""
    profile = await SqlProfiles(database).get("ada")
    assert profile is not None
    return profile.name


async def test_a_write_commits_at_its_end(database: Database) -> None:
    """And is seen by the next read."""
    async with database.write() as connection:
        await connection.execute(RENAME)

    assert await name(database) == "Ada!"


async def test_an_exception_rolls_a_write_back(database: Database) -> None:
    """And passes on as it is."""

    async def interrupted() -> None:
        async with database.write() as connection:
            await connection.execute(RENAME)
            raise Interrupted

    with pytest.raises(Interrupted):
        await interrupted()

    assert await name(database) == "Ada"


async def test_a_read_cannot_write(database: Database) -> None:
    """The database itself refuses, so no store can forget which way it came in."""
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        async with database.read() as connection:
            await connection.execute(RENAME)


async def test_nobody_sees_a_write_before_its_end(database: Database) -> None:
    """Readers go on meanwhile, and see what was."""
    async with database.write() as connection:
        await connection.execute(RENAME)
        assert await name(database) == "Ada"


async def test_many_writers_wait_their_turn(database: Database) -> None:
    """More than there are connections: each gets through, none is lost, none times out."""

    async def rename() -> None:
        async with database.write() as connection:
            await connection.execute(RENAME)

    await asyncio.gather(*(rename() for _ in range(60)))

    assert await name(database) == "Ada" + 60 * "!"


async def test_a_writer_may_be_cancelled_at_any_step(database: Database) -> None:
    """Either all of what it did happened or nothing, and the next one gets through."""
    finished = 0

    async def rename() -> None:
        nonlocal finished
        async with database.write() as connection:
            await connection.execute(RENAME)
            await connection.execute(RENAME)
        finished += 1

    for steps in range(40):
        task = asyncio.create_task(rename())
        for _ in range(steps):
            await asyncio.sleep(0)  # a step, not a wait
        task.cancel()
        await asyncio.wait({task})
    await rename()

    marks = (await name(database)).count("!")
    assert marks % 2 == 0
    assert marks >= 2 * finished


async def test_the_cancelled_among_many_hold_nobody_up(database: Database) -> None:
    """Those who queue for the writer get through past those who give up."""

    async def rename() -> None:
        async with database.write() as connection:
            await connection.execute(RENAME)

    tasks = [asyncio.create_task(rename()) for _ in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.wait(tasks)

    assert all(task.cancelled() for task in tasks[::2])
    assert not any(task.cancelled() or task.exception() for task in tasks[1::2])
    assert (await name(database)).count("!") == 20


@pytest.mark.parametrize("way", ["read", "write"])
async def test_nobody_queues_for_a_store_beyond_their_deadline(store_url: str, way: str) -> None:
    """Who gave up did nothing and holds nothing; who finds a connection free needs no wait."""
    database = Database.open(store_url, "profiles", pool_size=1)
    enter = getattr(database, way)
    with deadline.within(0):
        async with enter():
            with pytest.raises(DeadlineExceeded, match="the store of profiles"):
                async with enter():
                    pass
        async with enter() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    """Which moment it is would depend on the machine."""
    with pytest.raises(StatementError, match="no time zone"):
        await SqlProfiles(database).upsert(a_profile(), datetime(2026, 1, 1))  # noqa: DTZ001  # the point


async def test_a_defect_is_not_called_unavailable(database: Database) -> None:
    """Trying again would not help."""
    with pytest.raises(DBAPIError):
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM no_such_table"))


async def test_what_a_statement_carried_stays_out_of_its_error(database: Database) -> None:
    """An error is logged; a card token must not be."""
    with pytest.raises(DBAPIError) as caught:
        async with database.write() as connection:
            await connection.execute(
                text("INSERT INTO profiles (customer_id) VALUES (:secret)"),
                {"secret": "tok_secret"},
            )

    assert "parameters hidden" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all",
        "postgresql://ada:opensesame@/shop?host=/nowhere",
        "postgresql://ada:opensesame@127.0.0.1:1/shop",
    ],
)
async def test_a_store_that_is_away_names_its_capability_only(
    url: str, open_database: Open
) -> None:
    """Neither where it should be nor with which password."""
    database = open_database(url, "profiles")

    for attempt in (database.revision(), SqlProfiles(database).upsert(a_profile(), MORNING)):
        with pytest.raises(Unavailable) as caught:
            await attempt
        assert str(caught.value) == "the store of profiles cannot be reached"
        assert caught.value.retry_after


async def test_who_is_cancelled_while_connecting_has_gone_also_where_that_fails(
    open_database: Open,
) -> None:
    """A loop that took the failure for an ordinary one would go on, and its part never end."""
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


async def test_a_lost_connection_is_unavailable_once(
    postgresql_url: str, open_database: Open
) -> None:
    """A server that restarted is found again by the next transaction."""
    database = open_database(postgresql_url, "profiles")
    other = open_database(postgresql_url, "orders")
    await database.revision()
    async with other.write() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    with pytest.raises(Unavailable):
        await database.revision()
    assert await database.revision() == "profiles_0001"


async def test_a_command_without_an_answer_is_given_up(postgresql_url: str) -> None:
    """A server that fell silent must not hold a connection for ever."""
    database = Database.open(postgresql_url, "profiles", pool_size=1, command_timeout=0.1)

    with pytest.raises(Unavailable):
        async with database.read() as connection:
            await connection.execute(text("SELECT pg_sleep(600)"))
    await database.close()


async def test_sqlite_is_as_durable_as_told(sqlite_url: str) -> None:
    """WAL always; FULL, the default, survives a power cut, and NORMAL a crash."""
    for synchronous, expected in (("FULL", 2), ("NORMAL", 1)):
        database = Database.open(sqlite_url, "orders", synchronous=synchronous)
        async with database.write() as connection:
            pragmas = [
                await connection.scalar(text(f"PRAGMA {pragma}"))
                for pragma in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            ]
        await database.close()
        assert pragmas == ["wal", expected, 30_000, 1]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://ada:opensesame@host/db",
     "postgresql://ada:opensesame@host", "postgresql://ada:opensesame@host:port/db"],
)  # fmt: skip  # one glance
def test_a_wrong_url_is_refused_without_showing_it(url: str) -> None:
    """The sentence names the setting and what it may be."""
    with pytest.raises(WrongSettings, match="BOROUGH_STORE") as caught:
        Database.open(url, "orders")

    assert "opensesame" not in str(caught.value)


async def test_a_url_may_name_the_capability(
    sqlite_town: Path, tmp_path: Path, open_database: Open
) -> None:
    """So that each can have a host, a role or a folder of its own."""
    (tmp_path / "of-orders").symlink_to(sqlite_town)

    database = open_database(f"sqlite:///{tmp_path}/of-{{capability}}", "orders")

    assert await database.revision() == "orders_0001"


async def test_stored_moments_are_utc(database: Database) -> None:
    """Whoever reads the table by hand reads one zone."""
    async with database.read() as connection:
        found = await connection.scalar(text("SELECT updated_at FROM profiles"))

    moment = datetime.fromisoformat(found) if isinstance(found, str) else found
    assert moment is not None
    assert moment.replace(tzinfo=UTC) == MORNING
