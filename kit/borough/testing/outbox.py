"""The outbox in memory, whose rows change together with those of their store."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from borough.events import Event
from borough.outbox import Envelope, Routes
from borough.testing.memory import Rows, atomic


@dataclass(frozen=True, slots=True)
class _Sending:
    """A row of the outbox; one that is claimed may be claimed again when `due`."""

    event: Event
    trace: str | None
    created_at: datetime
    due: datetime
    tries: int = 0
    sent_at: datetime | None = None


class MemoryOutbox(Rows):
    """`SqlOutbox` in memory."""

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self.routes = routes
        self._rows: dict[tuple[str, UUID], _Sending] = {}

    def enqueue(self, event: Event, trace: str | None, at: datetime) -> None:
        """Add the event, as a part of the caller's effect."""
        for consumer in self.routes[type(event)]:
            self._rows[consumer, event.event_id] = _Sending(event, trace, at, due=at)

    @atomic
    def claim(
        self, consumer: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Envelope, ...]:
        free = [row for row in self._of(consumer) if row.sent_at is None and row.due <= now]
        claimed = sorted(free, key=lambda row: (row.due, row.event.event_id))[:limit]
        for row in claimed:
            self._rows[consumer, row.event.event_id] = replace(row, due=now + lease)
        return tuple(Envelope(event=row.event, trace=row.trace, tries=row.tries) for row in claimed)

    @atomic
    def sent(self, consumer: str, event_ids: Collection[UUID], at: datetime) -> None:
        for event_id in event_ids:
            if (row := self._unsent(consumer, event_id)) is not None:
                self._rows[consumer, event_id] = replace(row, sent_at=at)

    @atomic
    def failed(self, consumer: str, retries: Mapping[UUID, datetime]) -> None:
        for event_id, retry_at in retries.items():
            if (row := self._unsent(consumer, event_id)) is not None:
                self._rows[consumer, event_id] = replace(row, due=retry_at, tries=row.tries + 1)

    def _of(self, consumer: str) -> list[_Sending]:
        return [row for (to, _), row in self._rows.items() if to == consumer]

    def _unsent(self, consumer: str, event_id: UUID) -> _Sending | None:
        """None also if another relay sent and pruned it meanwhile."""
        row = self._rows.get((consumer, event_id))
        return row if row is not None and row.sent_at is None else None

    @atomic
    def prune(self, consumer: str, sent_before: datetime, limit: int) -> int:
        old = [
            key
            for key, row in self._rows.items()
            if key[0] == consumer and row.sent_at is not None and row.sent_at < sent_before
        ]
        for key in old[:limit]:
            del self._rows[key]
        return len(old[:limit])

    @atomic
    def unsent(self) -> int:
        return sum(row.sent_at is None for row in self._rows.values())

    @atomic
    def oldest(self, consumer: str) -> datetime | None:
        left = (row.created_at for row in self._of(consumer) if row.sent_at is None)
        return min(left, default=None)
