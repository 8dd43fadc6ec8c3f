"""Every store, thrice: in memory, on SQLite and on PostgreSQL. One suite speaks for all of them.

Each fixture comes also as a pair: two stores on the same rows, with connections of their own, as
two replicas have them.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from borough.compose import open_store
from borough.stores.sql import Database
from borough.testing.simulation import memory_stores
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
    """Where rows are kept: a URL, or None for memory."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def two_orders(kept_at: str | None, open_database: Open) -> tuple[Orders, Orders]:
    """A fresh store of orders, with its outbox, and its replica."""
    if kept_at is None:
        memory: MemoryOrders = memory_stores(APP)["orders"]
        return memory, memory
    definition = APP.definitions["orders"]
    first, second = (
        open_store(APP, definition, open_database(kept_at, "orders")) for _ in range(2)
    )
    return first, second


@pytest.fixture
def orders(two_orders: tuple[Orders, Orders]) -> Orders:
    """A fresh store of orders, with its outbox."""
    return two_orders[0]


@pytest.fixture
def two_verdicts(kept_at: str | None, open_database: Open) -> tuple[Verdicts, Verdicts]:
    """A fresh store of verdicts and its replica."""
    if kept_at is None:
        return (memory := MemoryVerdicts(), memory)
    first, second = (SqlVerdicts(open_database(kept_at, "payments")) for _ in range(2))
    return first, second


@pytest.fixture
def verdicts(two_verdicts: tuple[Verdicts, Verdicts]) -> Verdicts:
    """A fresh store of verdicts."""
    return two_verdicts[0]


@pytest.fixture
def profiles(kept_at: str | None, open_database: Open) -> Profiles:
    """A fresh store of profiles."""
    return SqlProfiles(open_database(kept_at, "profiles")) if kept_at else MemoryProfiles()


@pytest.fixture
def two_stocks(kept_at: str | None, open_database: Open) -> tuple[Stock, Stock]:
    """A fresh store of articles and reservations, and its replica."""
    if kept_at is None:
        return (memory := MemoryStock(), memory)
    first, second = (SqlStock(open_database(kept_at, "inventory")) for _ in range(2))
    return first, second


@pytest.fixture
def stock(two_stocks: tuple[Stock, Stock]) -> Stock:
    """A fresh store of articles and reservations."""
    return two_stocks[0]


@pytest.fixture
def two_notifications(
    kept_at: str | None, open_database: Open
) -> tuple[Notifications, Notifications]:
    """A fresh store of notifications and its replica."""
    if kept_at is None:
        return (memory := MemoryNotifications(), memory)
    first, second = (SqlNotifications(open_database(kept_at, "notifications")) for _ in range(2))
    return first, second


@pytest.fixture
def notifications(two_notifications: tuple[Notifications, Notifications]) -> Notifications:
    """A fresh store of notifications."""
    return two_notifications[0]
