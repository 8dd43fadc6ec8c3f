"""The text of a notification, and the interface of the store. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.orders.contract import ORDER_PLACED_SCHEMA, OrderPlaced


class Unreadable(Exception):
    """An event this version cannot handle; trying again may help only after an upgrade."""


def compose(event: OrderPlaced) -> str:
    """The text for the customer. Raises Unreadable for an event of a newer schema."""
    if event.schema_version > ORDER_PLACED_SCHEMA:
        raise Unreadable(
            f"order-placed has schema {event.schema_version}, we read up to {ORDER_PLACED_SCHEMA}"
        )
    lines = ", ".join(f"{line.quantity} x {line.sku}" for line in event.lines)
    euros, cents = divmod(event.total.minor, 100)
    return f"Your order of {lines} is placed: {euros}.{cents:02} {event.total.currency}."


def opened(event: OrderPlaced, at: datetime) -> Notification:
    """The row of an event that was not handled yet."""
    return Notification(
        event_id=event.event_id,
        order_id=event.order_id,
        customer_id=event.customer_id,
        state=NotificationState.PENDING,
        failed_tries=0,
        text="",
        updated_at=at,
    )


class NotificationStore(Protocol):
    """One row per event id, never deleted. RECORDED and PARKED are final."""

    async def open(self, events: tuple[OrderPlaced, ...], at: datetime) -> dict[UUID, Notification]:
        """Insert a PENDING row per event that has none; return all rows by event id. Atomic."""
        ...

    async def record(self, texts: Mapping[UUID, str], at: datetime) -> dict[UUID, Notification]:
        """Where PENDING: RECORDED with the event's text; return the rows by event id. Atomic."""
        ...

    async def fail(
        self, event_id: UUID, park_after: int, at: datetime
    ) -> tuple[Notification, bool]:
        """Where PENDING: count a failed try, and set PARKED after `park_after` of them. Return the
        row, and whether this failure parked it.
        """
        ...

    async def list(
        self, customer_id: str, before: UUID | None, limit: int
    ) -> tuple[Notification, ...]:
        """A customer's notifications older than `before`, newest first, at most `limit`."""
        ...

    async def ledger(self) -> tuple[Notification, ...]: ...
