"""Holds stock for orders and never oversells."""

from collections.abc import Awaitable
from dataclasses import dataclass

from borough.clock import Clock
from borough.errors import Conflict
from borough_shop.errors import OutOfStock
from borough_shop.inventory import signals
from borough_shop.inventory.contract import (
    Inventory,
    Menu,
    MenuRequest,
    OrderRef,
    Reservation,
    Reserve,
)
from borough_shop.inventory.domain import StockStore
from borough_telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryService(Inventory):
    store: StockStore
    clock: Clock
    telemetry: Telemetry

    async def menu(self, request: MenuRequest) -> Menu:
        articles = await self.store.articles()
        return Menu(items=tuple(article.as_menu_item() for article in articles))

    async def reserve(self, request: Reserve) -> Reservation:
        try:
            return await self.store.reserve(request.order_id, request.lines, self.clock.now())
        except OutOfStock:
            self.telemetry.count(signals.STOCK_OUTS)
            raise

    async def commit(self, request: OrderRef) -> Reservation:
        return await self._settled(self.store.commit(request.order_id, self.clock.now()))

    async def release(self, request: OrderRef) -> Reservation:
        return await self._settled(self.store.release(request.order_id, self.clock.now()))

    async def _settled(self, change: Awaitable[Reservation]) -> Reservation:
        """Count a conflict, which shows that an order was settled by two different verdicts."""
        try:
            return await change
        except Conflict as conflict:
            self.telemetry.count(signals.SETTLE_CONFLICTS, kind=conflict.code)
            raise
