"""Twin of the outbox: rows change together with their order, as in its transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from borough.testing.memory import Rows, atomic
from borough_shop.events import OrderPlaced
from borough_shop.outbox import Envelope


@dataclass(frozen=True, slots=True)
class _Sending:
    """A row of the outbox. Whoever claims it owns it until `due`; then it is anybody's."""

    event: OrderPlaced
    trace: str | None
    due: datetime
    tries: int = 0
    sent_at: datetime | None = None


class MemoryOutbox(Rows):
    """Twin of `SqlOutbox`."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, _Sending] = {}

    def enqueue(self, event: OrderPlaced, trace: str | None, at: datetime) -> None:
        """Part of the caller's effect, as the row is part of the order's transaction."""
        self._rows[event.event_id] = _Sending(event, trace, due=at)

    @atomic
    def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        free = [row for row in self._rows.values() if row.sent_at is None and row.due <= now]
        claimed = sorted(free, key=lambda row: (row.due, row.event.event_id))[:limit]
        for row in claimed:
            self._rows[row.event.event_id] = replace(row, due=now + lease)
        return tuple(Envelope(event=row.event, trace=row.trace, tries=row.tries) for row in claimed)

    @atomic
    def sent(self, event_ids: Collection[UUID], at: datetime) -> None:
        for event_id in event_ids:
            if (row := self._unsent(event_id)) is not None:
                self._rows[event_id] = replace(row, sent_at=at)

    @atomic
    def failed(self, retries: Mapping[UUID, datetime]) -> None:
        for event_id, retry_at in retries.items():
            if (row := self._unsent(event_id)) is not None:
                self._rows[event_id] = replace(row, due=retry_at, tries=row.tries + 1)

    def _unsent(self, event_id: UUID) -> _Sending | None:
        """None also where another relay sent it, and a prune removed it, meanwhile."""
        row = self._rows.get(event_id)
        return row if row is not None and row.sent_at is None else None

    @atomic
    def prune(self, sent_before: datetime, limit: int) -> int:
        old = [
            event_id
            for event_id, row in self._rows.items()
            if row.sent_at is not None and row.sent_at < sent_before
        ]
        for event_id in old[:limit]:
            del self._rows[event_id]
        return len(old[:limit])

    @atomic
    def unsent(self) -> int:
        return sum(row.sent_at is None for row in self._rows.values())

    @atomic
    def oldest(self) -> OrderPlaced | None:
        left = (row.event for row in self._rows.values() if row.sent_at is None)
        return min(left, key=lambda event: event.event_id, default=None)
