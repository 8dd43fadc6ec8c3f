"""Notifications in a table: one row per event id, so that an event delivered twice is told once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    case,
    select,
    update,
)

from borough.stores.sql import Database
from borough.stores.statements import Rows, Statement, Utc, any_of, tables
from borough_shop.notifications import domain
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.contract import OrderPlaced

TABLES = tables()

notifications = Table(
    "notifications",
    TABLES,
    Column("event_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("customer_id", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("failed_tries", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Index(None, "customer_id", "event_id"),
)
_TRIES = notifications.c.failed_tries + 1
_ADD = Statement(
    lambda sql: (
        sql.insert(notifications).on_conflict_do_nothing().returning(notifications.c.event_id)
    )
)
_CHANGE = (
    update(notifications)
    .where(
        notifications.c.event_id == bindparam("id"),
        notifications.c.state == NotificationState.PENDING,
    )
    .values(updated_at=bindparam("at"))
    .returning(notifications)
)
_RECORD = Statement(_CHANGE.values(state=NotificationState.RECORDED, text=bindparam("told")))
_FAIL = Statement(
    _CHANGE.values(
        failed_tries=_TRIES,
        state=case(
            (bindparam("park_after", type_=Integer) <= _TRIES, NotificationState.PARKED),
            else_=notifications.c.state,
        ),
    )
)
_THESE = Statement(
    lambda sql: select(notifications).where(any_of(sql, notifications.c.event_id, "event_ids"))
)
_PAGE = (
    select(notifications)
    .where(notifications.c.customer_id == bindparam("customer_id"))
    .order_by(notifications.c.event_id.desc())
    .limit(bindparam("limit"))
)
_NEWEST, _OLDER = (
    Statement(_PAGE),
    Statement(_PAGE.where(notifications.c.event_id < bindparam("before"))),
)
_ALL = Statement(select(notifications))


@dataclass(frozen=True, slots=True)
class SqlNotifications(NotificationStore):
    """The books of notifications."""

    db: Database

    async def open(self, events: tuple[OrderPlaced, ...], at: datetime) -> dict[UUID, Notification]:
        fresh = {event.event_id: domain.opened(event, at) for event in events}
        rows = [fresh[event_id].model_dump() for event_id in sorted(fresh)]
        added = {row.event_id for row in await self.db.execute_many(_ADD, rows)}
        return fresh | await self._standing(fresh.keys() - added)

    async def record(self, texts: Mapping[UUID, str], at: datetime) -> dict[UUID, Notification]:
        rows = [{"id": id_, "told": texts[id_], "at": at} for id_ in sorted(texts)]
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
        page = _NEWEST if before is None else _OLDER
        found = await self.db.execute(page, customer_id=customer_id, before=before, limit=limit)
        return tuple(map(_notification, found.rows))

    async def ledger(self) -> tuple[Notification, ...]:
        return tuple(map(_notification, (await self.db.execute(_ALL)).rows))

    async def _standing(self, event_ids: Collection[UUID]) -> dict[UUID, Notification]:
        """What stands for events that have a row; rows are never deleted."""
        if not event_ids:
            return {}
        return _by_id((await self.db.execute(_THESE, event_ids=list(event_ids))).rows)


def _by_id(rows: Rows) -> dict[UUID, Notification]:
    return {row.event_id: _notification(row) for row in rows}


def _notification(row: Any) -> Notification:
    return Notification(**row._asdict())
