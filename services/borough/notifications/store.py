"""Notifications in a table: one row per event id, so that an event delivered twice is told once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Index, Integer, String, Table, Text, Uuid, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from borough.contracts.events import OrderPlaced
from borough.contracts.notifications import Notification, NotificationState
from borough.kit.columns import Utc, tables
from borough.kit.sql import Database, insert
from borough.notifications.domain import NotificationStore

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
_PENDING = notifications.c.state == NotificationState.PENDING


@dataclass(frozen=True, slots=True)
class SqlNotifications(NotificationStore):
    """The books of notifications."""

    db: Database

    async def open(self, event: OrderPlaced, at: datetime) -> Notification:
        fresh = Notification(
            event_id=event.event_id,
            order_id=event.order_id,
            customer_id=event.customer_id,
            state=NotificationState.PENDING,
            failed_tries=0,
            text="",
            updated_at=at,
        )
        async with self.db.write() as connection:
            row = insert(connection, notifications).values(fresh.model_dump())
            written = await connection.execute(row.on_conflict_do_nothing())
            return fresh if written.rowcount else await _standing(connection, event.event_id)

    async def record(self, event_id: UUID, text: str, at: datetime) -> Notification:
        async with self.db.write() as connection:
            await connection.execute(
                update(notifications)
                .where(notifications.c.event_id == event_id, _PENDING)
                .values(state=NotificationState.RECORDED, text=text, updated_at=at)
            )
            return await _standing(connection, event_id)

    async def fail(
        self, event_id: UUID, park_after: int, at: datetime
    ) -> tuple[Notification, bool]:
        tries = notifications.c.failed_tries + 1
        parked = case((tries >= park_after, NotificationState.PARKED), else_=notifications.c.state)
        async with self.db.write() as connection:
            changed = await connection.execute(
                update(notifications)
                .where(notifications.c.event_id == event_id, _PENDING)
                .values(failed_tries=tries, state=parked, updated_at=at)
            )
            row = await _standing(connection, event_id)
        return row, bool(changed.rowcount) and row.state is NotificationState.PARKED

    async def list(
        self, customer_id: str, before: UUID | None, limit: int
    ) -> tuple[Notification, ...]:
        page = select(notifications).where(notifications.c.customer_id == customer_id)
        if before is not None:
            page = page.where(notifications.c.event_id < before)
        page = page.order_by(notifications.c.event_id.desc()).limit(limit)
        async with self.db.read() as connection:
            rows = (await connection.execute(page)).mappings()
            return tuple(Notification(**row) for row in rows)

    async def ledger(self) -> tuple[Notification, ...]:
        async with self.db.read() as connection:
            rows = (await connection.execute(select(notifications))).mappings()
            return tuple(Notification(**row) for row in rows)


async def _standing(connection: AsyncConnection, event_id: UUID) -> Notification:
    found = await connection.execute(
        select(notifications).where(notifications.c.event_id == event_id)
    )
    return Notification(**found.mappings().one())
