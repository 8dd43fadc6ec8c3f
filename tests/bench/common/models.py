"""The tables, declared as SQLAlchemy's ORM tutorial declares them: one base for each capability."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, DateTime, Index, String, Text, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

PENDING, PLACED, REJECTED = "pending", "placed", "rejected"
OPEN, COMMITTED, RELEASED = "open", "committed", "released"
CAPTURED, DECLINED, VOIDED = "captured", "declined", "voided"
RECORDED = "recorded"
_PENDING, _UNSENT = text(f"status = '{PENDING}'"), text("sent_at IS NULL")


class Utc(TypeDecorator[datetime]):
    """SQLAlchemy's documented recipe: what SQLite returns without a time zone is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


TYPES = {datetime: Utc, list[dict[str, Any]]: JSON, dict[str, Any]: JSON}


class Orders(DeclarativeBase):
    """The database of orders."""

    type_annotation_map = TYPES


class Profiles(DeclarativeBase):
    """The database of profiles."""

    type_annotation_map = TYPES


class Inventory(DeclarativeBase):
    """The database of inventory."""

    type_annotation_map = TYPES


class Payments(DeclarativeBase):
    """The database of payments."""

    type_annotation_map = TYPES


class Notifications(DeclarativeBase):
    """The database of notifications."""

    type_annotation_map = TYPES


BASES: dict[str, type[DeclarativeBase]] = {
    "orders": Orders,
    "profiles": Profiles,
    "inventory": Inventory,
    "payments": Payments,
    "notifications": Notifications,
}


class Order(Orders):
    """An order; `customer_id` and `key` find it again."""

    __tablename__ = "orders"
    __table_args__ = (
        Unique("customer_id", "key"),
        Index("ix_orders_customer", "customer_id", "order_id"),
        Index("ix_orders_pending", "order_id", sqlite_where=_PENDING, postgresql_where=_PENDING),
    )

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(63))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    basket: Mapped[list[dict[str, Any]]]
    lines: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    total_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]
    deadline: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    trace: Mapped[str | None] = mapped_column(String(128))


class Event(Orders):
    """A row of the outbox."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due_at", "due_at", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
    )

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    event: Mapped[dict[str, Any]]
    trace: Mapped[str | None] = mapped_column(String(128))
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Profile(Profiles):
    """A customer."""

    __tablename__ = "profiles"

    customer_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254))
    card_token: Mapped[str] = mapped_column(String(64))


class Article(Inventory):
    """What is sold; of the pieces `received`, `stock` are free."""

    __tablename__ = "articles"
    __table_args__ = (CheckConstraint("stock >= 0 AND stock <= received"),)

    sku: Mapped[str] = mapped_column(String(63), primary_key=True)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)


class Reservation(Inventory):
    """What is held for an order, at the prices of that moment; no lines for a tombstone."""

    __tablename__ = "reservations"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    lines: Mapped[list[dict[str, Any]]]
    changed_at: Mapped[datetime]


class Verdict(Payments):
    """Whether money was taken for an order; never changed."""

    __tablename__ = "verdicts"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    token_digest: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime]


class Notification(Notifications):
    """The notification of an event."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_customer", "customer_id", "event_id"),)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    customer_id: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime]
