"""Orders in a table, with the keys they were placed under, and the outbox beside them.

Every change says `still pending` in its WHERE: of many who settle an order, one changes its row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    select,
    text,
    update,
)

from borough.outbox import SqlOutbox, outbox
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Document, Statement, Utc, tables
from borough_shop.orders.contract import Order, OrderPlaced, OrderStatus
from borough_shop.orders.domain import Begun, OrderRecord, OrderStore, Refusal, Settled
from borough_shop.values import Basket, Money, PricedLine

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

_OF_CUSTOMER = orders.c.customer_id == bindparam("customer_id")
_OF_ORDER = orders.c.order_id == bindparam("id")
_BEGIN = Statement(
    lambda sql: sql.insert(orders).on_conflict_do_nothing(
        index_elements=[orders.c.customer_id, orders.c.key]
    )
)
_UNDER_KEY = Statement(
    select(orders).where(_OF_CUSTOMER, orders.c.key == bindparam("key")), brief=True
)
_FIND = Statement(select(orders).where(_OF_ORDER), brief=True)
_PAGE = (
    select(orders).where(_OF_CUSTOMER).order_by(orders.c.order_id.desc()).limit(bindparam("limit"))
)
_NEWEST, _OLDER = Statement(_PAGE), Statement(_PAGE.where(orders.c.order_id < bindparam("before")))
_SETTLE = update(orders).where(_OF_ORDER, _PENDING).values(settled_at=bindparam("at"))
_PLACE = Statement(
    _SETTLE.values(
        status=OrderStatus.PLACED,
        lines=bindparam("priced"),
        total_minor=bindparam("minor"),
        currency=bindparam("of"),
    ).returning(orders.c.basket, orders.c.created_at, orders.c.trace)  # what the event has not
)
_REJECT = Statement(
    _SETTLE.values(
        status=OrderStatus.REJECTED, reason=bindparam("why"), detail=bindparam("told")
    ).returning(orders)
)
_LATE = (
    select(orders)
    .where(_PENDING, orders.c.deadline < bindparam("deadline_before"))
    .order_by(orders.c.order_id)
    .limit(bindparam("limit"))
)
_OVERDUE, _OVERDUE_AFTER = (
    Statement(_LATE),
    Statement(_LATE.where(orders.c.order_id > bindparam("after"))),
)
_ALL = Statement(select(orders))


@dataclass(frozen=True, slots=True)
class SqlOrders(OrderStore):
    """The books of orders."""

    db: Database
    outbox: SqlOutbox

    async def begin(
        self, order: Order, key: str, print_: str, deadline: datetime, trace: str | None = None
    ) -> Begun:
        written = await self.db.execute(
            _BEGIN,
            **_row(order),
            key=key,
            fingerprint=print_,
            deadline=deadline,
            trace=trace,
        )
        if written.count:
            return Begun(order, print_, fresh=True)
        found = await self.db.execute(_UNDER_KEY, customer_id=order.customer_id, key=key)
        stands = found.rows[0]  # orders are never deleted
        return Begun(_order(stands), stands.fingerprint, fresh=False)

    async def get(self, order_id: UUID) -> Order | None:
        row = (await self.db.execute(_FIND, id=order_id)).first()
        return None if row is None else _order(row)

    async def list(self, customer_id: str, before: UUID | None, limit: int) -> tuple[Order, ...]:
        page = _NEWEST if before is None else _OLDER
        found = await self.db.execute(page, customer_id=customer_id, before=before, limit=limit)
        return tuple(map(_order, found.rows))

    async def place(self, event: OrderPlaced) -> Settled:
        async def place(tx: Transaction) -> Settled:
            placed = await tx.execute(
                _PLACE,
                id=event.order_id,
                at=event.placed_at,
                priced=event.lines,
                minor=event.total.minor,
                of=event.total.currency,
            )
            if not placed.count:
                stands = await tx.execute(_FIND, id=event.order_id)
                return Settled(_order(stands.rows[0]), changed=False)
            row = placed.rows[0]
            await self.outbox.enqueue(tx, event, row.trace, event.placed_at)
            order = Order(
                order_id=event.order_id,
                customer_id=event.customer_id,
                status=OrderStatus.PLACED,
                basket=row.basket,
                lines=event.lines,
                total=event.total,
                created_at=row.created_at,
                settled_at=event.placed_at,
            )
            return Settled(order, changed=True)

        return await self.db.transaction(place)

    async def reject(self, order_id: UUID, refusal: Refusal, at: datetime) -> Settled:
        rejected = await self.db.execute(
            _REJECT, id=order_id, at=at, why=refusal.reason, told=refusal.detail
        )
        stands = rejected if rejected.count else await self.db.execute(_FIND, id=order_id)
        return Settled(_order(stands.rows[0]), changed=bool(rejected.count))

    async def overdue(
        self, deadline_before: datetime, after: UUID | None, limit: int
    ) -> tuple[OrderRecord, ...]:
        late = _OVERDUE if after is None else _OVERDUE_AFTER
        found = await self.db.execute(
            late, deadline_before=deadline_before, after=after, limit=limit
        )
        return tuple(map(_record, found.rows))

    async def ledger(self) -> tuple[OrderRecord, ...]:
        return tuple(map(_record, (await self.db.execute(_ALL)).rows))


def _row(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status,
        "basket": order.basket,
        "lines": order.lines or None,
        "total_minor": order.total and order.total.minor,
        "currency": order.total and order.total.currency,
        "reason": order.reason,
        "detail": order.detail,
        "created_at": order.created_at,
        "settled_at": order.settled_at,
    }


def _record(row: Any) -> OrderRecord:
    return OrderRecord(_order(row), row.deadline, row.trace)


def _order(row: Any) -> Order:
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
