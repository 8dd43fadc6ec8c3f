"""Notifications: tells customers what happened, once per event."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from borough.app import Definition
from borough.compose import Composition
from borough_shop.notifications import signals
from borough_shop.notifications.contract import Notification, Notifications, NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.notifications.laws import LAWS
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import NotificationsService, Send, keep
from borough_shop.notifications.store import SqlNotifications
from borough_shop.orders.contract import OrderPlaced


class NotificationsSettings(BaseModel):
    """What may be set."""

    park_after: Annotated[int, Field(ge=1)] = Field(
        5, description="A notification is parked after so many failed tries."
    )


def make(part: Composition, store: NotificationStore, *, send: Send = keep) -> NotificationsService:
    """The service; `send` is how a customer is told."""
    return NotificationsService(
        store=store,
        clock=part.clock,
        telemetry=part.telemetry,
        park_after=part.own(NotificationsSettings).park_after,
        send=send,
    )


def parked(rows: tuple[Notification, ...]) -> Mapping[str, int]:
    """How many events are parked: somebody must look after them."""
    states = Counter(row.state for row in rows)
    return {NotificationState.PARKED.value: states[NotificationState.PARKED]}


CAPABILITY = Definition(
    contract=Notifications,
    make=make,
    sql=SqlNotifications,
    memory=MemoryNotifications,
    consumes={OrderPlaced: "deliver"},
    settings=NotificationsSettings,
    signals=signals.ALL,
    laws=LAWS,
    counts=parked,
)
