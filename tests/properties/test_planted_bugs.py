"""A search that finds nothing proves nothing until it finds what is there: planted bugs.

Each is a mistake somebody could make while simplifying a settlement, a store or the outbox.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from borough.audit import Kind
from borough.contracts.events import OrderPlaced
from borough.contracts.inventory import Reservation, ReservationState
from borough.contracts.notifications import Notification, NotificationState
from borough.contracts.orders import Order, OrderStatus
from borough.contracts.payments import Verdict
from borough.contracts.values import Line
from borough.kit.outbox import Envelope
from borough.orders.domain import ABANDONED, Refusal, Settled
from borough.orders.service import OrdersService
from borough.testing.chaos import Script
from borough.testing.memory import (
    MemoryNotifications,
    MemoryOrders,
    MemoryOutbox,
    MemoryStock,
    MemoryVerdicts,
    atomic,
)
from borough.testing.ordeals import ENDINGS, find
from borough.testing.town import MICROSERVICES, Shape, Shelves, Town


class AssumesAbandoned(OrdersService):
    """Settles without a verdict in hand as if nothing could have been charged."""

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
    """A release of what was never reserved has nothing to do, it seems."""

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
    """A reserve that does not know an order when it sees it."""

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        self._reservations.pop(order_id, None)
        return await super().reserve(order_id, lines, at)


class PlacesAgain(MemoryOrders):
    """`UPDATE orders SET status = 'placed' WHERE id = ?`, without `AND status = 'pending'`."""

    @atomic
    def place(self, event: OrderPlaced, trace: str | None) -> Settled:
        record = self._records[event.order_id]
        changes = {"status": OrderStatus.PLACED, "lines": event.lines, "total": event.total}
        order = record.order.model_copy(update=changes)
        self._records[event.order_id] = replace(record, order=order)
        self.outbox.enqueue(event, trace, event.placed_at)
        return Settled(order, changed=True)


class OutboxApart(MemoryOrders):
    """PLACED in one transaction, the event in the next."""

    async def place(self, event: OrderPlaced, trace: str | None) -> Settled:
        settled = await self._place_only(event)
        if settled.changed:
            await self._tell(event, trace)
        return settled

    @atomic
    def _place_only(self, event: OrderPlaced) -> Settled:
        changes = {"status": OrderStatus.PLACED, "lines": event.lines, "total": event.total}
        return self._settle(event.order_id, **changes)

    @atomic
    def _tell(self, event: OrderPlaced, trace: str | None) -> None:
        self.outbox.enqueue(event, trace, event.placed_at)


class ClaimedIsSent(MemoryOutbox):
    """At most once: what was taken out is forgotten before it is delivered."""

    @atomic
    def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        free = [row for row in self._rows.values() if row.sent_at is None and row.due <= now]
        self._rows.clear()
        return tuple(Envelope(row.event, row.trace, row.tries) for row in free)


class TellsAgain(MemoryNotifications):
    """A new row for each delivery, instead of one for each event."""

    def __init__(self) -> None:
        super().__init__()
        self._earlier: list[Notification] = []

    async def open(self, event: OrderPlaced, at: datetime) -> Notification:
        told = self._rows.get(event.event_id)
        if told is not None and told.state is NotificationState.RECORDED:
            self._earlier.append(self._rows.pop(event.event_id))
        return await super().open(event, at)

    @atomic
    def ledger(self) -> tuple[Notification, ...]:
        return (*self._earlier, *self._rows.values())


def with_claims_forgotten() -> MemoryOrders:
    """Sound orders over an outbox that is not."""
    orders = MemoryOrders()
    orders.outbox = ClaimedIsSent()
    return orders


PLANTED: Mapping[str, tuple[dict[str, Any], str, Kind]] = {
    "settles without asking": ({"settler": AssumesAbandoned}, "placed", Kind.LOST_MONEY),
    "the last verdict wins": ({"verdicts": LastVerdictWins}, "placed", Kind.UNPAID),
    "no tombstone": ({"stock": NoTombstone}, "placed", Kind.STILL_OPEN),
    "returns stock again": (
        {"stock": ReturnsStockAgain}, "declined", Kind.UNBALANCED,
    ),
    "holds again": ({"stock": HoldsAgain}, "placed", Kind.UNBALANCED),
    "places again": ({"orders": PlacesAgain}, "placed", Kind.TOLD_TWICE),
    "outbox apart": ({"orders": OutboxApart}, "placed", Kind.UNTOLD),
    "claimed is sent": ({"orders": with_claims_forgotten}, "placed", Kind.UNTOLD),
    "tells again": ({"notifications": TellsAgain}, "placed", Kind.TOLD_TWICE),
}  # fmt: skip  # a table


@pytest.mark.parametrize(("wrong", "ending", "kind"), PLANTED.values(), ids=PLANTED)
async def test_the_search_finds_a_planted_bug(
    wrong: dict[str, Any], ending: str, kind: Kind
) -> None:
    """What passes for the shop as it is fails for the shop with this one mistake in it."""

    def build(shape: Shape, script: Script) -> Town:
        fresh = {name: make() for name, make in wrong.items() if name != "settler"}
        settler = wrong.get("settler", OrdersService)
        return Town(shape, script, shelves=Shelves(**fresh), settler=settler)

    findings = await find(MICROSERVICES, ENDINGS[ending], build)
    assert kind in {violation.kind for finding in findings for violation in finding.violations}
