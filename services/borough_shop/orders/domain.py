"""The transitions of an order, and the interface of the store. Pure: no I/O, no clock."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from borough.errors import BoroughError, Invalid
from borough_shop.errors import OutOfStock, ProfileUnknown, UnknownSku
from borough_shop.orders.contract import (
    ORDER_PLACED_SCHEMA,
    Order,
    OrderPlaced,
    OrderStatus,
    PlaceOrder,
    Reason,
)
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.values import Basket, EventId, Moment, OrderId, PricedLine, total_of


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is rejected: the reason for machines, the sentence for people."""

    reason: Reason
    detail: str


ABANDONED = Refusal(Reason.ABANDONED, "the order could not be finished in time and was undone")
NO_PROFILE = Refusal(
    Reason.PROFILE_MISSING, "you have no profile yet: write yours, then order again"
)
DECLINED = Refusal(Reason.DECLINED, "the card was declined; nothing was charged")


def new_order(request: PlaceOrder, order_id: OrderId, now: Moment) -> Order:
    """A new order: PENDING."""
    return Order(
        order_id=order_id,
        customer_id=request.customer_id,
        status=OrderStatus.PENDING,
        basket=request.basket,
        created_at=now,
    )


def fingerprint(basket: Basket) -> str:
    """A fingerprint of the basket, equal for repeated requests; unset fields are omitted.

    A field added to the contract later does not change the fingerprint of an older request.
    """
    return hashlib.sha256(basket.model_dump_json(exclude_unset=True).encode()).hexdigest()


def refusal(error: BoroughError) -> Refusal:
    """The refusal for an error that occurred before any charge was sent."""
    match error:
        case OutOfStock() | UnknownSku():
            return Refusal(Reason(error.code), error.detail)
        case Invalid():
            return Refusal(Reason.INVALID, error.detail)
        case ProfileUnknown():
            return NO_PROFILE
        case _:
            return ABANDONED


def refusal_of(verdict: Verdict | None) -> Refusal:
    """The refusal of an order whose verdict is not CAPTURED."""
    declined = verdict is not None and verdict.outcome is Outcome.DECLINED
    return DECLINED if declined else ABANDONED


def placed_event(
    order: Order, lines: tuple[PricedLine, ...], event_id: EventId, now: Moment
) -> OrderPlaced:
    """The event that the order was placed."""
    return OrderPlaced(
        event_id=event_id,
        schema_version=ORDER_PLACED_SCHEMA,
        order_id=order.order_id,
        customer_id=order.customer_id,
        lines=lines,
        total=total_of(lines),
        placed_at=now,
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """The order under a customer's key, its basket's fingerprint, and whether it is new."""

    order: Order
    fingerprint: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """The stored order after an attempt to settle, and whether that attempt changed it."""

    order: Order
    changed: bool


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as it is stored; `trace` is the W3C traceparent of its request."""

    order: Order
    deadline: datetime
    trace: str | None = None


class OrderStore(Protocol):
    """Keeps orders with their keys, and the outbox. Only a PENDING order changes."""

    async def begin(
        self, order: Order, key: str, print_: str, deadline: datetime, trace: str | None = None
    ) -> Begun:
        """Insert the order unless (customer, key) has one; return the stored one. Atomic."""
        ...

    async def get(self, order_id: UUID) -> Order | None: ...

    async def list(self, customer_id: str, before: UUID | None, limit: int) -> tuple[Order, ...]:
        """A customer's orders older than `before`, newest first, at most `limit`."""
        ...

    async def place(self, event: OrderPlaced) -> Settled:
        """Where PENDING: PLACED with the event's lines, total and time, and the event in the outbox
        with the order's trace. One transaction.
        """
        ...

    async def reject(self, order_id: UUID, refusal: Refusal, at: datetime) -> Settled:
        """Where PENDING: REJECTED, with reason, detail and time."""
        ...

    async def overdue(
        self, deadline_before: datetime, after: UUID | None, limit: int
    ) -> tuple[OrderRecord, ...]:
        """PENDING orders with an earlier deadline, sorted by id, with ids greater than `after`."""
        ...

    async def ledger(self) -> tuple[OrderRecord, ...]: ...
