"""Does a migration make the missing role and schema of a capability, and change no other?"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from borough import commands
from borough.config import Settings, WrongSettings
from borough.errors import Unavailable
from borough.stores.migrations import migrate
from loyalty import APP, Loyalty
from postgresql import ABSENT, Cluster, find_binaries, running
from programs import absent

OWN, CHANGED = "p@ss/w'0rd %", "another"
BOSS, CLERK = "boss", "clerk"
"""A role with CREATEROLE that is no superuser, and a role without rights."""
SHOP = tuple(name for name in APP.contracts if name != Loyalty.name)


@pytest.fixture(scope="module")
def strict() -> Iterator[Cluster]:
    """A server that asks every role but its superuser for a password, as one in a cluster does."""
    binaries = find_binaries()
    if binaries is None:
        absent(ABSENT)
    with running(binaries) as server:
        rules = "local all postgres trust\nlocal all all scram-sha-256\n"
        (server.folder / "data" / "pg_hba.conf").write_text(rules)
        server.execute("postgres", "SELECT pg_reload_conf()")
        wait_for_the_rules(server.create("rules"))
        yield server


def wait_for_the_rules(url: str) -> None:
    """Wait for the reload of the rules, which a server does asynchronously."""
    until = time.monotonic() + 30
    while "password authentication failed" not in str(refusal := problem(url, "absent", "none")):
        assert time.monotonic() < until, refusal
        time.sleep(0.05)


_numbers = itertools.count(1)


@pytest.fixture
def admin(strict: Cluster) -> Iterator[str]:
    """A fresh database on it with BOSS and CLERK, and no capability; the URL of its superuser."""
    name = f"roles_{next(_numbers)}"
    url = strict.create(name)
    strict.execute(
        name,
        f"CREATE ROLE {BOSS} LOGIN CREATEROLE PASSWORD 'boss'",
        f"CREATE ROLE {CLERK} LOGIN PASSWORD 'clerk'",
        f"GRANT CREATE ON DATABASE {name} TO {BOSS}",
    )
    yield url
    strict.drop(name)
    for role in (*APP.contracts, BOSS, CLERK):
        strict.execute("postgres", f"DROP ROLE IF EXISTS {role}")


def by(url: str, role: str, password: str) -> str:
    """The same address, with that role."""
    found = make_url(url).set(username=role, password=password)
    return found.render_as_string(hide_password=False)


def store(url: str, password: str = OWN) -> str:
    """The setting of a release: each capability with its own role."""
    return by(url, "CAPABILITY", password).replace("CAPABILITY", "{capability}")


def problem(url: str, role: str, password: str, statement: str = "SELECT 1") -> object:
    """The error of the server for a statement of that role, if it is refused."""

    async def ask() -> object:
        try:
            connection = await asyncpg.connect(by(url, role, password))
        except asyncpg.PostgresError as error:
            return error
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            return error
        finally:
            await connection.close()
        return None

    return asyncio.run(ask())


def bring(url: str, *capabilities: str, admin: str = "") -> list[str]:
    """`borough migrate` of these capabilities, with their roles at this address."""
    settings = Settings(store=SecretStr(url))
    return commands.migrate(APP, settings, capabilities, admin=admin)


@pytest.mark.parametrize("boss", [False, True], ids=["superuser", "who may make roles"])
def test_each_capability_gets_a_role_for_its_own_schema_only(admin: str, boss: bool) -> None:  # noqa: FBT001  # a parameter
    """By either administrator; with the password in the store's address."""
    url, maker = store(admin), by(admin, BOSS, "boss") if boss else admin
    assert bring(url, *APP.contracts, admin=maker) == [f"{n}: {n}_0001" for n in APP.contracts]

    for role in APP.contracts:
        for schema in APP.contracts:
            refused = problem(admin, role, OWN, f"SELECT * FROM {schema}.alembic_version")  # noqa: S608  # fixed names
            assert isinstance(refused, asyncpg.InsufficientPrivilegeError) == (role != schema)
        wider = problem(admin, role, OWN, "CREATE SCHEMA another")
        assert isinstance(wider, asyncpg.InsufficientPrivilegeError)


def test_running_release_gains_a_capability(admin: str) -> None:
    """The others keep their passwords and their rows, whatever the address contains by then."""
    bring(store(admin), *SHOP, admin=admin)
    row = "UPDATE orders.alembic_version SET version_num = 'orders_0042'"
    assert problem(admin, "orders", OWN, row) is None

    assert bring(store(admin), *APP.contracts, admin=admin)[0] == "orders: orders_0042"
    assert problem(admin, Loyalty.name, OWN, "SELECT * FROM loyalty.awards") is None

    with pytest.raises(WrongSettings, match="password authentication failed"):
        bring(store(admin, CHANGED), "orders", admin=admin)
    assert problem(admin, "orders", OWN) is None


def test_roles_made_manually_need_no_administrator(strict: Cluster, admin: str) -> None:
    """As the chart's README describes."""
    database = str(make_url(admin).database)
    strict.execute(
        database,
        "CREATE ROLE loyalty LOGIN PASSWORD 'by hand'",
        "CREATE SCHEMA loyalty AUTHORIZATION loyalty",
    )
    assert bring(store(admin, "by hand"), "loyalty") == ["loyalty: loyalty_0001"]
    assert bring(store(admin, "by hand"), "loyalty", admin=admin) == ["loyalty: loyalty_0001"]


def test_concurrent_migrations_make_them_once(admin: str) -> None:
    """The Jobs of all images run at the same time."""

    async def race() -> list[str]:
        url, revisions = store(admin), APP.definitions[Loyalty.name].migrations
        racers = (
            asyncio.to_thread(migrate, url, "loyalty", revisions, admin=admin) for _ in "1234"
        )
        return await asyncio.gather(*racers)

    assert asyncio.run(race()) == ["loyalty_0001"] * 4


@pytest.mark.parametrize(
    ("role", "password", "says"),
    [
        ("", "", 'password authentication failed for user "loyalty"'),
        (CLERK, "clerk", "permission denied to create role"),
        (BOSS, "wrong", 'password authentication failed for user "boss"'),
    ],
    ids=["none", "one who may not", "one with a wrong password"],
)
def test_missing_role_that_may_not_be_made_is_named_at_once(
    admin: str, role: str, password: str, says: str
) -> None:
    """The command does not wait; the error has the remedy, and no password."""
    settings = Settings(store=SecretStr(store(admin)))
    maker = role and by(admin, role, password)
    began = time.monotonic()
    with pytest.raises(WrongSettings, match=says) as refused:
        commands.migrate(APP, settings, ["loyalty"], admin=maker, wait_s=300)
    assert time.monotonic() - began < 60
    assert "the database refuses the role of loyalty" in str(refused.value)
    assert "--admin" in str(refused.value)
    assert OWN not in str(refused.value)


def test_role_that_may_not_make_its_schema_is_named(strict: Cluster, admin: str) -> None:
    """The role was made manually, and its schema was not."""
    strict.execute("postgres", f"CREATE ROLE loyalty LOGIN PASSWORD '{CHANGED}'")
    with pytest.raises(WrongSettings, match="permission denied for database"):
        bring(store(admin, CHANGED), "loyalty")
    assert bring(store(admin, CHANGED), "loyalty", admin=admin) == ["loyalty: loyalty_0001"]


def test_unavailable_database_is_waited_for() -> None:
    """An administrator cannot reach it either."""
    away = "postgresql://ada:opensesame@127.0.0.1:1/shop"
    with pytest.raises(Unavailable, match="the store of loyalty cannot be reached"):
        bring(away, "loyalty", admin=away)


def test_administrator_for_a_file_is_refused(tmp_path: Path) -> None:
    """SQLite has no roles; without an administrator it is migrated as before."""
    url = f"sqlite:///{tmp_path}"
    with pytest.raises(WrongSettings, match="PostgreSQL"):
        bring(url, "loyalty", admin="postgresql://boss:boss@127.0.0.1:1/shop")
    assert bring(url, "loyalty") == ["loyalty: loyalty_0001"]
