"""What a customer is told, and what a store of notifications must promise. Pure."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from borough.contracts.events import ORDER_PLACED_SCHEMA, OrderPlaced
from borough.contracts.notifications import Notification


class Unreadable(Exception):
    """An event this version cannot handle; trying again may help only after an upgrade."""


def compose(event: OrderPlaced) -> str:
    """The text a customer gets. Raises Unreadable for an event of a newer schema."""
    if event.schema_version > ORDER_PLACED_SCHEMA:
        raise Unreadable(
            f"order-placed has schema {event.schema_version}, we read up to {ORDER_PLACED_SCHEMA}"
        )
    lines = ", ".join(f"{line.quantity} x {line.sku}" for line in event.lines)
    euros, cents = divmod(event.total.minor, 100)
    return f"Your order of {lines} is placed: {euros}.{cents:02} {event.total.currency}."


class NotificationStore(Protocol):
    """One row per event id, for good. RECORDED and PARKED are final."""

    async def open(self, event: OrderPlaced, at: datetime) -> Notification:
        """Insert a PENDING row unless there is one; answer what stands."""
        ...

    async def record(self, event_id: UUID, text: str, at: datetime) -> Notification:
        """PENDING becomes RECORDED with its text; answer what stands."""
        ...

    async def fail(
        self, event_id: UUID, park_after: int, at: datetime
    ) -> tuple[Notification, bool]:
        """Where PENDING: one failed try more, and PARKED once there are `park_after`. Answer what
        stands, and whether it was this failure that parked it.
        """
        ...

    async def list(
        self, customer_id: str, before: UUID | None, limit: int
    ) -> tuple[Notification, ...]:
        """A customer's notifications older than `before`, newest first, at most `limit`."""
        ...

    async def ledger(self) -> tuple[Notification, ...]:
        """Every notification, for the auditor."""
        ...
