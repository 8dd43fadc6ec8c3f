"""Orders in a table, with the keys they were placed under, and the outbox beside them.

Every change says `still pending` in its WHERE: of many who settle an order, one changes its row.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from borough.contracts.events import OrderPlaced
from borough.contracts.orders import Order, OrderStatus
from borough.contracts.values import Basket, Money, PricedLine
from borough.kit.columns import Document, Utc, tables
from borough.kit.outbox import SqlOutbox, enqueue, outbox
from borough.kit.sql import Database, insert
from borough.orders.domain import Begun, OrderRecord, OrderStore, Refusal, Settled

TABLES = tables()

_PENDING = text("status = 'pending'")  # a constant, or SQLite would not use the partial index

orders = Table(
    "orders",
    TABLES,
    Column("order_id", Uuid, primary_key=True),
    Column("customer_id", String(63), nullable=False),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("basket", Document(Basket), nullable=False),
    Column("lines", Document(tuple[PricedLine, ...])),
    Column("total_minor", BigInteger),
    Column("currency", String(3)),
    Column("reason", String(32)),
    Column("detail", Text),
    Column("created_at", Utc, nullable=False),
    Column("deadline", Utc, nullable=False),
    Column("settled_at", Utc),
    Column("trace", String(128)),
    UniqueConstraint("customer_id", "key"),
    Index(None, "customer_id", "order_id"),
    Index("ix_orders_pending", "order_id", sqlite_where=_PENDING, postgresql_where=_PENDING),
)
outbox.to_metadata(TABLES)


@dataclass(frozen=True, slots=True)
class SqlOrders(OrderStore):
    """The books of orders."""

    db: Database
    outbox: SqlOutbox = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outbox", SqlOutbox(self.db))

    async def begin(
        self, order: Order, key: str, print_: str, deadline: datetime, trace: str | None = None
    ) -> Begun:
        row = {
            "order_id": order.order_id,
            "customer_id": order.customer_id,
            "key": key,
            "fingerprint": print_,
            "status": order.status,
            "basket": order.basket,
            "created_at": order.created_at,
            "deadline": deadline,
            "trace": trace,
        }
        known = [orders.c.customer_id, orders.c.key]
        async with self.db.write() as connection:
            written = await connection.execute(
                insert(connection, orders).values(row).on_conflict_do_nothing(index_elements=known)
            )
            if written.rowcount:
                return Begun(order, print_, fresh=True)
            stands = await connection.execute(
                select(orders).where(orders.c.customer_id == order.customer_id, orders.c.key == key)
            )
            found = stands.one()
        return Begun(_order(found), found.fingerprint, fresh=False)

    async def get(self, order_id: UUID) -> Order | None:
        async with self.db.read() as connection:
            found = await connection.execute(select(orders).where(orders.c.order_id == order_id))
            row = found.one_or_none()
        return None if row is None else _order(row)

    async def list(self, customer_id: str, before: UUID | None, limit: int) -> tuple[Order, ...]:
        page = select(orders).where(orders.c.customer_id == customer_id)
        if before is not None:
            page = page.where(orders.c.order_id < before)
        page = page.order_by(orders.c.order_id.desc()).limit(limit)
        async with self.db.read() as connection:
            return tuple(map(_order, await connection.execute(page)))

    async def place(self, event: OrderPlaced) -> Settled:
        async with self.db.write() as connection:
            settled = await _settle(
                connection,
                event.order_id,
                status=OrderStatus.PLACED,
                lines=event.lines,
                total_minor=event.total.minor,
                currency=event.total.currency,
                settled_at=event.placed_at,
            )
            if settled.changed:
                trace = select(orders.c.trace).where(orders.c.order_id == event.order_id)
                await enqueue(connection, event, trace.scalar_subquery(), event.placed_at)
        return settled

    async def reject(self, order_id: UUID, refusal: Refusal, at: datetime) -> Settled:
        async with self.db.write() as connection:
            return await _settle(
                connection,
                order_id,
                status=OrderStatus.REJECTED,
                reason=refusal.reason,
                detail=refusal.detail,
                settled_at=at,
            )

    async def overdue(
        self, deadline_before: datetime, after: UUID | None, limit: int
    ) -> tuple[OrderRecord, ...]:
        late = select(orders).where(_PENDING, orders.c.deadline < deadline_before)
        if after is not None:
            late = late.where(orders.c.order_id > after)
        return await self._records(late.order_by(orders.c.order_id).limit(limit))

    async def ledger(self) -> tuple[OrderRecord, ...]:
        return await self._records(select(orders))

    async def _records(self, query: Select[Any]) -> tuple[OrderRecord, ...]:
        async with self.db.read() as connection:
            rows = await connection.execute(query)
            return tuple(OrderRecord(_order(row), row.deadline, row.trace) for row in rows)


async def _settle(connection: AsyncConnection, order_id: UUID, **values: object) -> Settled:
    """Change the order where it is still pending, and answer it as it stands then."""
    changed = await connection.execute(
        update(orders)
        .where(orders.c.order_id == order_id, _PENDING)
        .values(values)
        .returning(orders)
    )
    row = changed.one_or_none()
    if row is not None:
        return Settled(_order(row), changed=True)
    stands = await connection.execute(select(orders).where(orders.c.order_id == order_id))
    return Settled(_order(stands.one()), changed=False)


def _order(row: Row[Any]) -> Order:
    paid = row.total_minor is not None
    return Order(
        order_id=row.order_id,
        customer_id=row.customer_id,
        status=row.status,
        basket=row.basket,
        lines=row.lines or (),
        total=Money(minor=row.total_minor, currency=row.currency) if paid else None,
        reason=row.reason,
        detail=row.detail,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )
