"""Tells customers what happened, once per event, however often the event is delivered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from borough.contracts.errors import DeliveryFailed
from borough.contracts.events import OrderPlaced
from borough.contracts.notifications import (
    ListNotifications,
    Notification,
    NotificationPage,
    Notifications,
    NotificationState,
)
from borough.kit import signals
from borough.kit.clock import Clock
from borough.kit.telemetry import Telemetry
from borough.notifications import domain
from borough.notifications.domain import NotificationStore

Send = Callable[[OrderPlaced, str], Awaitable[None]]


async def keep(event: OrderPlaced, text: str) -> None:
    """The shop has no mail server: the recorded row is the notification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsService(Notifications):
    """Only a failed handling counts as a try; a caller that gave up waiting does not."""

    store: NotificationStore
    clock: Clock
    telemetry: Telemetry
    park_after: int
    send: Send = keep

    async def deliver(self, request: OrderPlaced) -> Notification:
        row = await self.store.open(request, self.clock.now())
        if row.state is not NotificationState.PENDING:
            return row
        try:
            text = domain.compose(request)
            await self.send(request, text)
        except Exception as error:  # noqa: BLE001  # whatever handling raises is one failed try
            return await self._failed(request, error)
        return await self.store.record(request.event_id, text, self.clock.now())

    async def _failed(self, event: OrderPlaced, error: Exception) -> Notification:
        now = self.clock.now()
        row, parked = await self.store.fail(event.event_id, self.park_after, now)
        if row.state is NotificationState.PENDING:
            raise DeliveryFailed(f"event {event.event_id} could not be handled: {error}")
        if parked:
            self.telemetry.count(signals.PARKED)
            self.telemetry.log.error("event parked", event_id=str(event.event_id), error=str(error))
        return row

    async def list(self, request: ListNotifications) -> NotificationPage:
        rows = await self.store.list(request.customer_id, request.before, request.limit + 1)
        page = rows[: request.limit]
        return NotificationPage(
            notifications=page, next_before=page[-1].event_id if len(rows) > len(page) else None
        )
