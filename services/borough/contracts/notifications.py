"""The contract of notifications: what customers were told, once per event."""

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from borough.contracts.capability import Capability, Message, post, read
from borough.contracts.events import OrderPlaced
from borough.contracts.values import CustomerId, EventId, Moment, OrderId


class NotificationState(StrEnum):
    """PENDING while handling fails and may succeed yet; the other two are final."""

    PENDING = "pending"
    RECORDED = "recorded"
    PARKED = "parked"


class Notification(Message):
    """One row per event id. `text` is empty until the event was handled."""

    event_id: EventId
    order_id: OrderId
    customer_id: CustomerId
    state: NotificationState
    failed_tries: int
    text: str
    updated_at: Moment


class ListNotifications(Message):
    """A page of a customer's notifications, newest first, older than `before`."""

    customer_id: CustomerId
    before: EventId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class NotificationPage(Message):
    """`next_before` is what to ask next; none on the last page."""

    notifications: tuple[Notification, ...]
    next_before: EventId | None = None


class Notifications(Capability, Protocol, path="/notifications"):
    """Tells customers what happened, deduplicated by event id."""

    @post("", idempotent=True)
    async def deliver(self, request: OrderPlaced) -> Notification:
        """Handle an event: RECORDED, or PARKED after too many failed tries.

        Raises DeliveryFailed while there are tries left; the sender delivers again.
        """
        ...

    @read("")
    async def list(self, request: ListNotifications) -> NotificationPage:
        """What a customer was told."""
        ...
