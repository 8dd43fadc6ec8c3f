"""Mistakes that a simplification could make in a settlement, a store or the outbox.

A search that finds nothing proves nothing until it finds what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

from borough.app import App
from borough.outbox import Envelope
from borough.testing.memory import atomic
from borough.testing.outbox import MemoryOutbox
from borough_shop import orders
from borough_shop.app import APP
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.laws import UNBALANCED
from borough_shop.inventory.memory import MemoryStock
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.laws import NOT_NOTIFIED, NOTIFIED_TWICE
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.orders.contract import Order, OrderPlaced, OrderStatus
from borough_shop.orders.domain import ABANDONED, Refusal, Settled
from borough_shop.orders.laws import LOST_MONEY, STILL_OPEN, UNPAID
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.service import OrdersService
from borough_shop.payments.contract import Verdict
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.values import Line


class AssumesAbandoned(OrdersService):
    """Settles without a verdict as if nothing could have been charged."""

    async def settle(
        self, order: Order, *, verdict: Verdict | None = None, refused: Refusal | None = None
    ) -> Order:
        if verdict is None:
            refused = refused or ABANDONED
        return await OrdersService.settle(self, order, verdict=verdict, refused=refused)


class LastVerdictWins(MemoryVerdicts):
    """A plain upsert."""

    @atomic
    def decide(self, verdict: Verdict, token_digest: str, at: datetime) -> tuple[Verdict, bool]:
        self._verdicts[verdict.order_id] = verdict
        return verdict, True


class NoTombstone(MemoryStock):
    """A release of what was never reserved does nothing."""

    async def release(self, order_id: UUID, at: datetime) -> Reservation:
        if order_id in self._reservations:
            return await super().release(order_id, at)
        return Reservation(order_id=order_id, state=ReservationState.RELEASED, lines=())


class ReturnsStockAgain(MemoryStock):
    """A release that does not look at what state it finds."""

    async def release(self, order_id: UUID, at: datetime) -> Reservation:
        if (known := self._reservations.get(order_id)) is not None:
            self._keep(known, ReservationState.OPEN)
        return await super().release(order_id, at)


class HoldsAgain(MemoryStock):
    """A reserve that does not look up the order."""

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        self._reservations.pop(order_id, None)
        return await super().reserve(order_id, lines, at)


class PlacesAgain(MemoryOrders):
    """`UPDATE orders SET status = 'placed' WHERE id = ?`, without `AND status = 'pending'`."""

    @atomic
    def place(self, event: OrderPlaced) -> Settled:
        record = self._records[event.order_id]
        changes = {"status": OrderStatus.PLACED, "lines": event.lines, "total": event.total}
        order = record.order.model_copy(update=changes)
        self._records[event.order_id] = replace(record, order=order)
        self.outbox.enqueue(event, None, event.placed_at)
        return Settled(order, changed=True)


class OutboxApart(MemoryOrders):
    """PLACED in one transaction, the event in the next."""

    async def place(self, event: OrderPlaced) -> Settled:
        settled = await self._place_only(event)
        if settled.changed:
            await self._enqueue(event)
        return settled

    @atomic
    def _place_only(self, event: OrderPlaced) -> Settled:
        changes = {"status": OrderStatus.PLACED, "lines": event.lines, "total": event.total}
        return self._settle(event.order_id, **changes)

    @atomic
    def _enqueue(self, event: OrderPlaced) -> None:
        self.outbox.enqueue(event, None, event.placed_at)


class ClaimedIsSent(MemoryOutbox):
    """At most once: what was taken out is forgotten before it is delivered."""

    @atomic
    def claim(
        self, consumer: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Envelope, ...]:
        free = [row for row in self._of(consumer) if row.sent_at is None and row.due <= now]
        self._rows.clear()
        return tuple(Envelope(row.event, row.trace, row.tries) for row in free)


class NotifiesAgain(MemoryNotifications):
    """A new row for each delivery, instead of one for each event."""

    def __init__(self) -> None:
        super().__init__()
        self._earlier: list[Notification] = []

    async def open(self, events: tuple[OrderPlaced, ...], at: datetime) -> dict[UUID, Notification]:
        for event in events:
            known = self._rows.get(event.event_id)
            if known is not None and known.state is NotificationState.RECORDED:
                self._earlier.append(self._rows.pop(event.event_id))
        return await super().open(events, at)

    @atomic
    def ledger(self) -> tuple[Notification, ...]:
        return (*self._earlier, *self._rows.values())


class ForgetsClaims(MemoryOrders):
    """Sound orders over an outbox that is not."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        super().__init__(ClaimedIsSent(outbox.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong in a shop, which ending of an order it spoils, and how the auditor calls it."""

    settler: type[OrdersService] = OrdersService
    wrong: Mapping[str, type[Any]] = field(default_factory=dict)
    spoils: str = "placed"
    kind: str

    @property
    def app(self) -> App:
        """The shop with this one mistake in it."""
        settling = replace(orders.CAPABILITY, make=partial(orders.make, service=self.settler))
        known = {**APP.definitions, orders.CAPABILITY.name: settling}
        wrong = [replace(known[name], memory=make) for name, make in self.wrong.items()]
        return APP.replacing(settling, *wrong)


MISTAKES = MappingProxyType(
    {
        "settles without asking": Mistake(settler=AssumesAbandoned, kind=LOST_MONEY),
        "the last verdict wins": Mistake(wrong={"payments": LastVerdictWins}, kind=UNPAID),
        "no tombstone": Mistake(wrong={"inventory": NoTombstone}, kind=STILL_OPEN),
        "returns stock again": Mistake(
            wrong={"inventory": ReturnsStockAgain}, spoils="payment-declined", kind=UNBALANCED
        ),
        "holds again": Mistake(wrong={"inventory": HoldsAgain}, kind=UNBALANCED),
        "places again": Mistake(wrong={"orders": PlacesAgain}, kind=NOTIFIED_TWICE),
        "outbox apart": Mistake(wrong={"orders": OutboxApart}, kind=NOT_NOTIFIED),
        "claimed is sent": Mistake(wrong={"orders": ForgetsClaims}, kind=NOT_NOTIFIED),
        "notifies again": Mistake(wrong={"notifications": NotifiesAgain}, kind=NOTIFIED_TWICE),
    }
)
