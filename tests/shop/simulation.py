"""The shop as a simulation: its shapes, its settings, and what a test does with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from borough.app import App
from borough.testing.chaos import CALM, Script
from borough.testing.simulation import (
    Shape,
    Simulation,
    extracted,
    microservices,
    monolith,
    plain_settings,
)
from borough_shop import notifications
from borough_shop.app import APP
from borough_shop.inventory.domain import Article
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.signals import SETTLE_CONFLICTS
from borough_shop.notifications.contract import Notifications
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import Send, keep
from borough_shop.orders.contract import Orders, Placement, PlaceOrder
from borough_shop.orders.memory import MemoryOrders
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.profiles.contract import Profile
from borough_shop.profiles.memory import MemoryProfiles

PATIENCE, HORIZON = 2.0, 5.0
"""Seconds to the deadline of an order, and from there to its reconciling."""
PARK_AFTER = 3
SETTINGS = plain_settings(
    APP,
    deadline_ms=int(PATIENCE * 1_000),
    reconcile_horizon_s=HORIZON,
    park_after=PARK_AFTER,
    pbkdf2_iterations=0,
)

MONOLITH = monolith(APP)
EXTRACT_PAYMENTS = extracted(APP, ["payments"])
MICROSERVICES = microservices(APP)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStores:
    """The stores, by what they keep."""

    orders: MemoryOrders
    verdicts: MemoryVerdicts
    profiles: MemoryProfiles
    stock: MemoryStock
    notifications: MemoryNotifications

    @classmethod
    def of(cls, stores: Mapping[str, Any]) -> "MemoryStores":
        """The stores of a composition, which are known by their capabilities."""
        return cls(
            orders=stores["orders"],
            verdicts=stores["payments"],
            profiles=stores["profiles"],
            stock=stores["inventory"],
            notifications=stores["notifications"],
        )


class ShopSimulation(Simulation):
    """`app` may be the shop with a mistake in it, and `send` fail."""

    def __init__(
        self,
        shape: Shape = MONOLITH,
        script: Script = CALM,
        *,
        app: App = APP,
        send: Send = keep,
    ) -> None:
        mailing = replace(
            app.definitions[Notifications.name], make=partial(notifications.make, send=send)
        )
        super().__init__(app.replacing(mailing), shape, script, settings=SETTINGS)
        self.stored = MemoryStores.of(self.stores)
        self._client = self.client(Orders)

    async def stock_up(self, articles: tuple[Article, ...], customers: tuple[Profile, ...]) -> None:
        """Put articles and profiles into the stores, before any disturbance."""
        await self.stored.stock.receive(articles)
        for customer in customers:
            await self.stored.profiles.upsert(customer, self.clock.now())

    async def place(self, request: PlaceOrder) -> Placement:
        """As a client, whose call may get no answer. Raises a BoroughError without one."""
        return await self._client.place(request)

    async def reconcile(self) -> None:
        """One round, if the part lives to its end."""
        await self.round("orders.reconcile")

    async def relay(self) -> None:
        """One round, if the part lives to its end."""
        await self.round("orders.relay")

    def settle_conflicts(self) -> int:
        """How often a commit met a release, or a release a commit."""
        lines = self.telemetry.exposition().decode().splitlines()
        series = f"{SETTLE_CONFLICTS.name}_total{{"
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(series))
