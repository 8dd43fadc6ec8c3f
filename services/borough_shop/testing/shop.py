"""The whole shop in memory: every capability wired to the others, and the door before them.

For tests that ask what a customer meets. The business is the real one; only the rows are in memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fastapi import FastAPI

from borough.serving.lifecycle import Tasks
from borough.serving.web import make_app
from borough.testing.clock import ManualClock
from borough_shop.gateway.admission import Admission
from borough_shop.gateway.policy import ApiKeys, RateLimit
from borough_shop.gateway.rest import rest
from borough_shop.inventory.domain import Article
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.service import InventoryService
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import NotificationsService
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.service import OrdersService
from borough_shop.payments.contract import Payments
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.payments.service import PaymentsService
from borough_shop.profiles.memory import MemoryProfiles
from borough_shop.profiles.service import ProfilesService
from borough_shop.values import Money
from borough_telemetry import Telemetry

PRICES = MappingProxyType({"cappuccino": 340, "espresso": 220, "flat-white": 380})
"""The menu: cents of EUR a piece."""

KEYS = MappingProxyType({"ada": "key-of-ada", "grace": "key-of-grace"})
"""The customers, and what they say at the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The rows of every capability."""

    orders: MemoryOrders = field(default_factory=MemoryOrders)
    verdicts: MemoryVerdicts = field(default_factory=MemoryVerdicts)
    profiles: MemoryProfiles = field(default_factory=MemoryProfiles)
    stock: MemoryStock
    notifications: MemoryNotifications = field(default_factory=MemoryNotifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Every capability, and what they stand on."""

    clock: ManualClock
    telemetry: Telemetry
    tasks: Tasks
    stores: Stores
    profiles: ProfilesService
    inventory: InventoryService
    payments: PaymentsService
    notifications: NotificationsService
    orders: OrdersService

    def door(
        self,
        *,
        keys: Mapping[str, str] = KEYS,
        burst: int = 1_000_000,
        deadline_ms: int = 10_000,
        max_body_bytes: int = 65_536,
    ) -> FastAPI:
        """The public app before this shop. After the burst it takes one request a second."""
        app = make_app("Borough", telemetry=self.telemetry, max_body_bytes=max_body_bytes)
        admission = Admission(
            keys=ApiKeys(keys),
            limit=RateLimit(rate=1, burst=burst, clock=self.clock.monotonic),
            deadline_ms=deadline_ms,
            tasks=self.tasks,
        )
        app.include_router(
            rest(
                admission,
                orders=self.orders,
                profiles=self.profiles,
                inventory=self.inventory,
            )
        )
        return app


def _nothing(payments: Payments) -> Payments:
    return payments


def memory_shop(*, stock: int = 1_000, between: Callable[[Payments], Payments] = _nothing) -> Shop:
    """A shop with so many pieces of each article. `between` may put something between orders and
    payments, where things go wrong.
    """
    clock, tasks = ManualClock(), Tasks()
    telemetry = Telemetry("test", log_level="critical")
    stores = Stores(stock=MemoryStock(menu(stock)))
    profiles = ProfilesService(store=stores.profiles, clock=clock)
    inventory = InventoryService(store=stores.stock, clock=clock, telemetry=telemetry)
    payments = PaymentsService(
        store=stores.verdicts, clock=clock, telemetry=telemetry, iterations=0
    )
    return Shop(
        clock=clock,
        telemetry=telemetry,
        tasks=tasks,
        stores=stores,
        profiles=profiles,
        inventory=inventory,
        payments=payments,
        notifications=NotificationsService(
            store=stores.notifications, clock=clock, telemetry=telemetry, park_after=5
        ),
        orders=OrdersService(
            store=stores.orders,
            profiles=profiles,
            inventory=inventory,
            payments=between(payments),
            clock=clock,
            tasks=tasks,
            telemetry=telemetry,
        ),
    )


def menu(stock: int) -> tuple[Article, ...]:
    """The articles of `PRICES`, so many pieces of each."""
    return tuple(
        Article(
            sku=sku,
            name=sku.replace("-", " ").capitalize(),
            price=Money(minor=price, currency="EUR"),
            stock=stock,
            received=stock,
        )
        for sku, price in PRICES.items()
    )
