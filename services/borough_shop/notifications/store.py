"""Notifications in a table: one row per event id, so that a redelivered event is sent once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from borough.stores.sql import Database
from borough.stores.statements import Rows, Statement, Utc, any_of, tables
from borough_shop.notifications import domain
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.contract import OrderPlaced
from borough_shop.values import LAST_ID

TABLES = tables()

notifications = sa.Table(
    "notifications",
    TABLES,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("order_id", sa.Uuid, nullable=False),
    sa.Column("customer_id", sa.String(63), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("failed_tries", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "customer_id", "event_id"),
)
_TRIES = notifications.c.failed_tries + 1
_ADD = Statement(
    lambda sql: (
        sql.insert(notifications).on_conflict_do_nothing().returning(notifications.c.event_id)
    )
)
_CHANGE = (
    sa.update(notifications)
    .where(
        notifications.c.event_id == sa.bindparam("id"),
        notifications.c.state == NotificationState.PENDING,
    )
    .values(updated_at=sa.bindparam("at"))
    .returning(notifications)
)
_RECORD = Statement(_CHANGE.values(state=NotificationState.RECORDED, text=sa.bindparam("sent")))
_FAIL = Statement(
    _CHANGE.values(
        failed_tries=_TRIES,
        state=sa.case(
            (sa.bindparam("park_after", type_=sa.Integer) <= _TRIES, NotificationState.PARKED),
            else_=notifications.c.state,
        ),
    )
)
_THESE = Statement(
    lambda sql: sa.select(notifications).where(any_of(sql, notifications.c.event_id, "event_ids"))
)
_PAGE = Statement(
    sa.select(notifications)
    .where(
        notifications.c.customer_id == sa.bindparam("customer_id"),
        notifications.c.event_id < sa.bindparam("before"),
    )
    .order_by(notifications.c.event_id.desc())
    .limit(sa.bindparam("limit"))
)
_ALL = Statement(sa.select(notifications))


@dataclass(frozen=True, slots=True)
class SqlNotifications(NotificationStore):
    db: Database

    async def open(self, events: tuple[OrderPlaced, ...], at: datetime) -> dict[UUID, Notification]:
        fresh = {event.event_id: domain.opened(event, at) for event in events}
        rows = [fresh[event_id].model_dump() for event_id in sorted(fresh)]
        added = {row.event_id for row in await self.db.execute_many(_ADD, rows)}
        return fresh | await self._standing(fresh.keys() - added)

    async def record(self, texts: Mapping[UUID, str], at: datetime) -> dict[UUID, Notification]:
        rows = [{"id": id_, "sent": texts[id_], "at": at} for id_ in sorted(texts)]
        changed = _by_id(await self.db.execute_many(_RECORD, rows))
        return changed | await self._standing(texts.keys() - changed)

    async def fail(
        self, event_id: UUID, park_after: int, at: datetime
    ) -> tuple[Notification, bool]:
        changed = await self.db.execute(_FAIL, id=event_id, park_after=park_after, at=at)
        if not changed.count:
            return (await self._standing({event_id}))[event_id], False
        row = _notification(changed.rows[0])
        return row, row.state is NotificationState.PARKED

    async def list(
        self, customer_id: str, before: UUID | None, limit: int
    ) -> tuple[Notification, ...]:
        page = {"customer_id": customer_id, "before": before or LAST_ID, "limit": limit}
        return tuple(map(_notification, (await self.db.execute(_PAGE, **page)).rows))

    async def ledger(self) -> tuple[Notification, ...]:
        return tuple(map(_notification, (await self.db.execute(_ALL)).rows))

    async def _standing(self, event_ids: Collection[UUID]) -> dict[UUID, Notification]:
        """The existing rows of events; rows are never deleted."""
        if not event_ids:
            return {}
        return _by_id((await self.db.execute(_THESE, event_ids=list(event_ids))).rows)


def _by_id(rows: Rows) -> dict[UUID, Notification]:
    return {row.event_id: _notification(row) for row in rows}


def _notification(row: Any) -> Notification:
    return Notification(**row._asdict())
