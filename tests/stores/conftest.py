"""Fixtures of every store, each in memory, on SQLite and on PostgreSQL, for one suite.

Each fixture comes also as a pair: two stores on the same rows, with connections of their own, as
two replicas have them.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from borough.stores.sql import Database
from borough.testing.suites import Stores, replicas
from borough_shop.app import APP
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.store import SqlStock
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.store import SqlNotifications
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.store import SqlOrders
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.payments.store import SqlVerdicts
from borough_shop.profiles.memory import MemoryProfiles
from borough_shop.profiles.store import SqlProfiles

Open = Callable[[str, str], Database]
Orders = SqlOrders | MemoryOrders
Verdicts = SqlVerdicts | MemoryVerdicts
Profiles = SqlProfiles | MemoryProfiles
Stock = SqlStock | MemoryStock
Notifications = SqlNotifications | MemoryNotifications


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
    """The URL of the rows, or None for memory."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def two_replicas(kept_at: str | None) -> AsyncIterator[tuple[Stores, ...]]:
    """Fresh stores of every capability, twice on the same rows."""
    async with replicas(APP, kept_at) as both:
        yield both


@pytest.fixture
def two_orders(two_replicas: tuple[Stores, ...]) -> tuple[Orders, Orders]:
    """A fresh store of orders, with its outbox, and its replica."""
    first, second = (stores["orders"] for stores in two_replicas)
    return first, second


@pytest.fixture
def orders(two_replicas: tuple[Stores, ...]) -> Orders:
    """A fresh store of orders, with its outbox."""
    store: Orders = two_replicas[0]["orders"]
    return store


@pytest.fixture
def two_verdicts(two_replicas: tuple[Stores, ...]) -> tuple[Verdicts, Verdicts]:
    """A fresh store of verdicts, and its replica."""
    first, second = (stores["payments"] for stores in two_replicas)
    return first, second


@pytest.fixture
def verdicts(two_replicas: tuple[Stores, ...]) -> Verdicts:
    """A fresh store of verdicts."""
    store: Verdicts = two_replicas[0]["payments"]
    return store


@pytest.fixture
def profiles(two_replicas: tuple[Stores, ...]) -> Profiles:
    """A fresh store of profiles."""
    store: Profiles = two_replicas[0]["profiles"]
    return store


@pytest.fixture
def two_stocks(two_replicas: tuple[Stores, ...]) -> tuple[Stock, Stock]:
    """A fresh store of articles and reservations, and its replica."""
    first, second = (stores["inventory"] for stores in two_replicas)
    return first, second


@pytest.fixture
def stock(two_replicas: tuple[Stores, ...]) -> Stock:
    """A fresh store of articles and reservations."""
    store: Stock = two_replicas[0]["inventory"]
    return store


@pytest.fixture
def two_notifications(two_replicas: tuple[Stores, ...]) -> tuple[Notifications, Notifications]:
    """A fresh store of notifications, and its replica."""
    first, second = (stores["notifications"] for stores in two_replicas)
    return first, second


@pytest.fixture
def notifications(two_replicas: tuple[Stores, ...]) -> Notifications:
    """A fresh store of notifications."""
    store: Notifications = two_replicas[0]["notifications"]
    return store
