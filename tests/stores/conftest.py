"""Every store, thrice: in memory, on SQLite and on PostgreSQL. One suite speaks for all of them."""

from collections.abc import AsyncIterator, Callable

import pytest

from borough.inventory.store import SqlStock
from borough.kit.sql import Database
from borough.notifications.store import SqlNotifications
from borough.orders.store import SqlOrders
from borough.payments.store import SqlVerdicts
from borough.profiles.store import SqlProfiles
from borough.testing.memory import (
    MemoryNotifications,
    MemoryOrders,
    MemoryProfiles,
    MemoryStock,
    MemoryVerdicts,
)

Open = Callable[[str, str], Database]


@pytest.fixture
async def open_database() -> AsyncIterator[Open]:
    """Opens a capability's database at a URL; all are closed when the test is over."""
    opened: list[Database] = []

    def open_(url: str, capability: str) -> Database:
        opened.append(Database.open(url, capability, synchronous="NORMAL"))
        return opened[-1]

    yield open_
    for database in opened:
        await database.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def kept_at(request: pytest.FixtureRequest) -> str | None:
    """Where rows are kept: a URL, or None for memory."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def orders(kept_at: str | None, open_database: Open) -> SqlOrders | MemoryOrders:
    """A fresh store of orders, with its outbox."""
    return SqlOrders(open_database(kept_at, "orders")) if kept_at else MemoryOrders()


@pytest.fixture
def verdicts(kept_at: str | None, open_database: Open) -> SqlVerdicts | MemoryVerdicts:
    """A fresh store of verdicts."""
    return SqlVerdicts(open_database(kept_at, "payments")) if kept_at else MemoryVerdicts()


@pytest.fixture
def profiles(kept_at: str | None, open_database: Open) -> SqlProfiles | MemoryProfiles:
    """A fresh store of profiles."""
    return SqlProfiles(open_database(kept_at, "profiles")) if kept_at else MemoryProfiles()


@pytest.fixture
def stock(kept_at: str | None, open_database: Open) -> SqlStock | MemoryStock:
    """A fresh store of articles and reservations."""
    return SqlStock(open_database(kept_at, "inventory")) if kept_at else MemoryStock()


@pytest.fixture
def notifications(
    kept_at: str | None, open_database: Open
) -> SqlNotifications | MemoryNotifications:
    """A fresh store of notifications."""
    if kept_at is None:
        return MemoryNotifications()
    return SqlNotifications(open_database(kept_at, "notifications"))
