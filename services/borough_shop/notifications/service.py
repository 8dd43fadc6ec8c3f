"""Notifies customers once per event, however often the event is delivered."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from borough.clock import Clock
from borough.events import Delivered, Outcome
from borough_shop.notifications import domain, signals
from borough_shop.notifications.contract import (
    Deliver,
    ListNotifications,
    Notification,
    NotificationPage,
    Notifications,
    NotificationState,
)
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.contract import OrderPlaced
from borough_telemetry import Telemetry

OUTCOMES = {
    NotificationState.PENDING: Outcome.PENDING,
    NotificationState.RECORDED: Outcome.HANDLED,
    NotificationState.PARKED: Outcome.PARKED,
}

Send = Callable[[OrderPlaced, str], Awaitable[None]]


async def keep(event: OrderPlaced, text: str) -> None:
    """Send nothing: the recorded row is the notification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsService(Notifications):
    """Only a failed handling counts as a try, not the cancellation of a caller."""

    store: NotificationStore
    clock: Clock
    telemetry: Telemetry
    park_after: int
    send: Send = keep

    async def deliver(self, request: Deliver) -> Delivered:
        rows = await self.store.open(request.events, self.clock.now())
        due = {
            event.event_id: event
            for event in request.events
            if rows[event.event_id].state is NotificationState.PENDING
        }
        handled = dict(
            zip(due, await asyncio.gather(*map(self._handle, due.values())), strict=True)
        )
        if texts := {id_: text for id_, text in handled.items() if isinstance(text, str)}:
            rows |= await self.store.record(texts, self.clock.now())
        rows |= {id_: row for id_, row in handled.items() if isinstance(row, Notification)}
        outcomes = (OUTCOMES[rows[event.event_id].state] for event in request.events)
        return Delivered(outcomes=tuple(outcomes))

    async def _handle(self, event: OrderPlaced) -> str | Notification:
        """The text that was sent, or the row after a failed try."""
        try:
            text = domain.compose(event)
            await self.send(event, text)
        except Exception as error:  # noqa: BLE001  # any error is a failed try
            return await self._failed(event, error)
        return text

    async def _failed(self, event: OrderPlaced, error: Exception) -> Notification:
        now = self.clock.now()
        row, parked = await self.store.fail(event.event_id, self.park_after, now)
        fields = {"event_id": str(event.event_id), "error": str(error)}
        if parked:
            self.telemetry.count(signals.PARKED)
            self.telemetry.log.error("event parked", **fields)
        elif row.state is NotificationState.PENDING:
            self.telemetry.log.warning("event could not be handled", **fields)
        return row

    async def list(self, request: ListNotifications) -> NotificationPage:
        rows = await self.store.list(request.customer_id, request.before, request.limit + 1)
        page = rows[: request.limit]
        return NotificationPage(
            notifications=page, next_before=page[-1].event_id if len(rows) > len(page) else None
        )
