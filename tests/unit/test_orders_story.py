"""The order as its customer lives it, and what the rest of the shop is asked meanwhile."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest

from borough.contracts.capability import Endpoint, Message
from borough.contracts.errors import KeyReused, NotFound
from borough.contracts.inventory import Inventory, ReservationState
from borough.contracts.orders import GetOrder, ListOrders, OrderStatus, PlaceOrder, Reason
from borough.contracts.payments import Outcome, Payments
from borough.contracts.values import Basket
from borough.kit.transport import remote
from borough.orders.service import OrdersService
from borough.testing.clock import ManualClock, deadlines_by
from borough.testing.samples import a_profile, an_article
from borough.testing.shop import Shop, memory_shop

ESPRESSO = PlaceOrder(customer_id="ada", key="k", basket=Basket.of(espresso=2))
PATIENCE = 2.0
"""What an order is given by default, in seconds."""


@dataclass
class Slowly:
    """A transport that takes its time, and remembers what it was asked."""

    service: Any
    clock: ManualClock
    seconds: float = 0
    asked: list[str] = field(default_factory=list)

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Time passes, then the service works."""
        self.asked.append(endpoint.name)
        self.clock.advance(self.seconds)
        answer: Message = await getattr(self.service, endpoint.method)(message)
        return answer


@pytest.fixture
async def shop() -> Shop:
    """Ten espressos, and ada with a good card."""
    shop = memory_shop(stock=0)
    await shop.stores.stock.receive((an_article("ristretto", stock=10),))
    await shop.stores.profiles.upsert(a_profile("ada"), shop.clock.now())
    return shop
