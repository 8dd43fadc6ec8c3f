"""Notifications: notifies customers of their orders, once per event."""

from typing import Annotated

from pydantic import BaseModel, Field

from borough.app import Definition
from borough.compose import Composition
from borough_shop.notifications import signals
from borough_shop.notifications.contract import Notifications, NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.notifications.laws import LAWS
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import NotificationsService, Send, keep
from borough_shop.notifications.store import SqlNotifications
from borough_shop.orders.contract import OrderPlaced


class NotificationsSettings(BaseModel):
    park_after: Annotated[int, Field(ge=1)] = Field(
        5, description="A notification is parked after so many failed tries."
    )


def make(part: Composition, store: NotificationStore, *, send: Send = keep) -> NotificationsService:
    """The service; `send` delivers a text to a customer."""
    return NotificationsService(
        store=store,
        clock=part.clock,
        telemetry=part.telemetry,
        park_after=part.own(NotificationsSettings).park_after,
        send=send,
    )


CAPABILITY = Definition(
    contract=Notifications,
    make=make,
    sql=SqlNotifications,
    memory=MemoryNotifications,
    consumes={OrderPlaced: "deliver"},
    settings=NotificationsSettings,
    signals=signals.ALL,
    laws=LAWS,
    counts=lambda rows: {"parked": sum(row.state is NotificationState.PARKED for row in rows)},
)
