"""When many do the same at once, through two replicas, does exactly one of them do it?

Every check is also run on a store that is wrong on purpose, and must find it: a check that no lost
update can fail would prove nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from borough.contracts.errors import Conflict, OutOfStock, Released
from borough.contracts.events import OrderPlaced
from borough.contracts.inventory import Reservation, ReservationState
from borough.contracts.orders import OrderStatus, Reason
from borough.contracts.payments import Outcome, Verdict
from borough.contracts.values import Line
from borough.inventory import domain
from borough.inventory import store as inventory_store
from borough.inventory.domain import StockStore
from borough.inventory.store import SqlStock
from borough.kit.sql import Database, parse
from borough.notifications.domain import NotificationStore
from borough.notifications.store import SqlNotifications
from borough.orders import store as orders_store
from borough.orders.domain import Refusal, Settled
from borough.orders.store import SqlOrders
from borough.payments import store as payments_store
from borough.payments.domain import VerdictStore
from borough.payments.store import SqlVerdicts
from borough.testing.clock import MORNING
from borough.testing.memory import MemoryNotifications, MemoryOrders, MemoryStock, MemoryVerdicts
from borough.testing.samples import an_article, an_event, an_id, an_order, euros, lines

Store = TypeVar("Store")
Replicate = Callable[[Callable[[Database], Store], Callable[[], Store], str], Sequence[Store]]
NO_REASON = Refusal(Reason.ABANDONED, "raced")
MANY = 20


@pytest.fixture
def replicate(kept_at: str | None, open_database: Callable[[str, str], Database]) -> object:
    """Two stores on the same rows, each with connections of its own, as two replicas have them."""

    def two(sql: Callable[[Database], Store], memory: Callable[[], Store], name: str) -> list[Store]:
        if kept_at is None:
            return [memory()] * 2
        return [sql(open_database(kept_at, name)) for _ in range(2)]

    return two
