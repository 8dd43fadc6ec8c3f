"""The contract of notifications: one per event, also if it is delivered repeatedly."""

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from borough.capability import Capability, Message, post, read
from borough.events import Delivered
from borough_shop.orders.contract import OrderPlaced
from borough_shop.values import CustomerId, EventId, Moment, OrderId


class NotificationState(StrEnum):
    """PENDING while handling failed and is retried; the other two are final."""

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


class Deliver(Message):
    """Events to handle; the same event may come again in any message."""

    events: Annotated[tuple[OrderPlaced, ...], Field(min_length=1, max_length=100)]


class ListNotifications(Message):
    """A page of a customer's notifications, newest first, older than `before`."""

    customer_id: CustomerId
    before: EventId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class NotificationPage(Message):
    """`next_before` is the `before` of the next page; None on the last."""

    notifications: tuple[Notification, ...]
    next_before: EventId | None = None


class Notifications(Capability, Protocol, path="/notifications"):
    """Notifies customers, once per event id."""

    @post("", idempotent=True)
    async def deliver(self, request: Deliver) -> Delivered:
        """Handle events: each is RECORDED, or PARKED after too many failed tries. A failure
        does not prevent the handling of the others.
        """
        ...

    @read("")
    async def list(self, request: ListNotifications) -> NotificationPage: ...
