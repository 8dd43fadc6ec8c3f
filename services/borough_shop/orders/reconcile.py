"""Settles orders that a crash or an unknown outcome left PENDING, one horizon after the deadline.

The verdict of payments decides. Reconcile may run concurrently with the original request, or with
another replica's reconcile.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from borough.clock import Clock
from borough.errors import Unavailable
from borough_shop.orders import signals
from borough_shop.orders.contract import Order
from borough_shop.orders.domain import OrderRecord, OrderStore
from borough_shop.orders.service import OrdersService

BATCH = 16
"""Orders settled concurrently, so that a backlog leaves capacity for new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """A background loop; `once` is one round of it. Times in seconds."""

    service: OrdersService
    store: OrderStore
    clock: Clock
    horizon: float
    interval: float

    async def run(self) -> None:
        """Without end: a round, then a pause. A round without its store is logged and repeated."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                self.service.telemetry.log.warning("reconcile round failed", error=str(error))
            await self.clock.sleep(self.interval)

    async def once(self) -> int:
        """Try every overdue order once, a batch at a time; returns how many were tried.

        Paging by id, and logging a defect instead of raising it, keep an order that cannot be
        settled from blocking the others.
        """
        before = self.clock.now() - timedelta(seconds=self.horizon)
        tried, last = 0, None
        while batch := await self.store.overdue(before, last, BATCH):
            answers = await asyncio.gather(*map(self._settle, batch), return_exceptions=True)
            for record, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    self.service.telemetry.log.error(
                        "order not settled", order_id=str(record.order.order_id), exc_info=answer
                    )
            tried, last = tried + len(batch), batch[-1].order.order_id
        self.service.telemetry.metrics[signals.RECONCILE_QUEUE].set(tried)
        return tried

    async def _settle(self, record: OrderRecord) -> Order:
        """Settle in a new trace, linked to that of the order."""
        with self.service.telemetry.background("orders.reconcile", "orders", causes=[record.trace]):
            return await self.service.settle(record.order)
