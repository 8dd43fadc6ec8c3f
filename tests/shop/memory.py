"""The whole shop in memory: every capability wired to the others, and the door before them.

For tests of what a customer gets. Only the stores, the clock and the calls differ from production.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fastapi import FastAPI
from pydantic import SecretStr

from borough.capability import Capability
from borough.testing.clock import ManualClock
from borough.testing.simulation import InMemory, plain_settings
from borough_shop import gateway
from borough_shop.app import APP
from borough_shop.inventory.domain import Article
from borough_shop.inventory.memory import MemoryStock
from borough_shop.payments.contract import Payments
from borough_shop.values import Money
from shop.simulation import MemoryStores

if TYPE_CHECKING:
    from borough_shop.inventory.service import InventoryService
    from borough_shop.notifications.service import NotificationsService
    from borough_shop.orders.service import OrdersService
    from borough_shop.payments.service import PaymentsService
    from borough_shop.profiles.service import ProfilesService

PRICES = MappingProxyType({"cappuccino": 340, "espresso": 220, "flat-white": 380})
"""The menu: cents of EUR a piece."""

KEYS = MappingProxyType({"ada": "key-of-ada", "grace": "key-of-grace"})
"""The customers, and what they say at the door."""

C = TypeVar("C", bound=Capability)


def _nothing(payments: Payments) -> Payments:
    return payments


class Shop(InMemory):
    """Every capability, and what they stand on."""

    clock: ManualClock

    def __init__(self, stock: int, between: Callable[[Payments], Payments] = _nothing) -> None:
        settings = plain_settings(APP, pbkdf2_iterations=0)
        super().__init__(APP, stores={"inventory": MemoryStock(menu(stock))}, settings=settings)
        self._between = between
        self.compose(APP.contracts)
        self.stored = MemoryStores.of(self.stores)
        made = cast(dict[str, Any], self.services)
        self.profiles: ProfilesService = made["profiles"]
        self.inventory: InventoryService = made["inventory"]
        self.payments: PaymentsService = made["payments"]
        self.notifications: NotificationsService = made["notifications"]
        self.orders: OrdersService = made["orders"]

    def local(self, contract: type[C], service: C) -> C:
        direct = super().local(contract, service)
        if contract is Payments:
            return cast(C, self._between(cast(Payments, direct)))
        return direct

    def door(
        self,
        *,
        keys: Mapping[str, str] = KEYS,
        burst: int = 1_000_000,
        deadline_ms: int = 10_000,
        max_body_bytes: int = 65_536,
    ) -> FastAPI:
        """The public app before this shop. After the burst it takes one request a second."""
        self.settings = self.settings.model_copy(
            update={
                "api_keys": {name: SecretStr(key) for name, key in keys.items()},
                "rate_limit_per_s": 1,
                "rate_limit_burst": burst,
                "deadline_ms": deadline_ms,
                "max_body_bytes": max_body_bytes,
            }
        )
        return gateway.make(self)


def memory_shop(*, stock: int = 1_000, between: Callable[[Payments], Payments] = _nothing) -> Shop:
    """A shop with so many pieces of each article. `between` may put something between orders and
    payments, to fail or delay a call.
    """
    return Shop(stock, between)


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
