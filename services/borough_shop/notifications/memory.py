"""Notifications in memory: one row per event, never deleted."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from borough.testing.memory import Rows, atomic
from borough_shop.notifications import domain
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.orders.contract import OrderPlaced
from borough_shop.values import LAST_ID


class MemoryNotifications(Rows):
    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, Notification] = {}

    @atomic
    def open(self, events: tuple[OrderPlaced, ...], at: datetime) -> dict[UUID, Notification]:
        return {
            event.event_id: self._rows.setdefault(event.event_id, domain.opened(event, at))
            for event in events
        }

    @atomic
    def record(self, texts: Mapping[UUID, str], at: datetime) -> dict[UUID, Notification]:
        return {
            event_id: self._change(event_id, at, state=NotificationState.RECORDED, text=text)
            for event_id, text in texts.items()
        }

    @atomic
    def fail(self, event_id: UUID, park_after: int, at: datetime) -> tuple[Notification, bool]:
        before = self._rows[event_id]
        tries = before.failed_tries + 1
        parked = tries >= park_after
        state = NotificationState.PARKED if parked else NotificationState.PENDING
        row = self._change(event_id, at, state=state, failed_tries=tries)
        return row, row is not before and parked

    def _change(self, event_id: UUID, at: datetime, **changes: object) -> Notification:
        row = self._rows[event_id]
        if row.state is NotificationState.PENDING:
            row = row.model_copy(update={"updated_at": at, **changes})
            self._rows[event_id] = row
        return row

    @atomic
    def list(self, customer_id: str, before: UUID | None, limit: int) -> tuple[Notification, ...]:
        mine = (row for row in self._rows.values() if row.customer_id == customer_id)
        older = (row for row in mine if row.event_id < (before or LAST_ID))
        return tuple(sorted(older, key=lambda row: row.event_id, reverse=True)[:limit])

    @atomic
    def ledger(self) -> tuple[Notification, ...]:
        return tuple(self._rows.values())
