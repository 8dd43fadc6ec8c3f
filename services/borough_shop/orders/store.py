"""Orders in a table, with their idempotency keys, and the outbox beside them.

Every change has `status = 'pending'` in its WHERE: of concurrent settlements one changes the row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from borough.outbox import SqlOutbox, outbox
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Document, Statement, Utc, tables
from borough_shop.orders.contract import Order, OrderPlaced, OrderStatus
from borough_shop.orders.domain import Begun, OrderRecord, OrderStore, Refusal, Settled
from borough_shop.values import FIRST_ID, LAST_ID, Basket, Money, PricedLine

TABLES = tables()

_PENDING = sa.text("status = 'pending'")  # a constant, or SQLite would not use the partial index

orders = sa.Table(
    "orders",
    TABLES,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.String(63), nullable=False),
    sa.Column("key", sa.String(255), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("basket", Document(Basket), nullable=False),
    sa.Column("lines", Document(tuple[PricedLine, ...])),
    sa.Column("total_minor", sa.BigInteger),
    sa.Column("currency", sa.String(3)),
    sa.Column("reason", sa.String(32)),
    sa.Column("detail", sa.Text),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("deadline", Utc, nullable=False),
    sa.Column("settled_at", Utc),
    sa.Column("trace", sa.String(128)),
    sa.UniqueConstraint("customer_id", "key"),
    sa.Index(None, "customer_id", "order_id"),
    sa.Index("ix_orders_pending", "order_id", sqlite_where=_PENDING, postgresql_where=_PENDING),
)
outbox.to_metadata(TABLES)

_OF_CUSTOMER = orders.c.customer_id == sa.bindparam("customer_id")
_OF_ORDER = orders.c.order_id == sa.bindparam("id")
_BEGIN = Statement(
    lambda sql: sql.insert(orders).on_conflict_do_nothing(
        index_elements=[orders.c.customer_id, orders.c.key]
    )
)
_UNDER_KEY = Statement(
    sa.select(orders).where(_OF_CUSTOMER, orders.c.key == sa.bindparam("key")), brief=True
)
_FIND = Statement(sa.select(orders).where(_OF_ORDER), brief=True)
_PAGE = Statement(
    sa.select(orders)
    .where(_OF_CUSTOMER, orders.c.order_id < sa.bindparam("before"))
    .order_by(orders.c.order_id.desc())
    .limit(sa.bindparam("limit"))
)
_SETTLE = sa.update(orders).where(_OF_ORDER, _PENDING).values(settled_at=sa.bindparam("at"))
_PLACE = Statement(
    _SETTLE.values(
        status=OrderStatus.PLACED,
        lines=sa.bindparam("priced"),
        total_minor=sa.bindparam("minor"),
        currency=sa.bindparam("of"),
    ).returning(orders.c.basket, orders.c.created_at, orders.c.trace)  # not in the event
)
_REJECT = Statement(
    _SETTLE.values(
        status=OrderStatus.REJECTED, reason=sa.bindparam("why"), detail=sa.bindparam("text")
    ).returning(orders)
)
_OVERDUE = Statement(
    sa.select(orders)
    .where(
        _PENDING,
        orders.c.deadline < sa.bindparam("deadline_before"),
        orders.c.order_id > sa.bindparam("after"),
    )
    .order_by(orders.c.order_id)
    .limit(sa.bindparam("limit"))
)
_ALL = Statement(sa.select(orders))


@dataclass(frozen=True, slots=True)
class SqlOrders(OrderStore):
    db: Database
    outbox: SqlOutbox

    async def begin(
        self, order: Order, key: str, print_: str, deadline: datetime, trace: str | None = None
    ) -> Begun:
        row = dict(order) | {"lines": None, "total_minor": None, "currency": None}
        written = await self.db.execute(
            _BEGIN, **row, key=key, fingerprint=print_, deadline=deadline, trace=trace
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
        page = {"customer_id": customer_id, "before": before or LAST_ID, "limit": limit}
        return tuple(map(_order, (await self.db.execute(_PAGE, **page)).rows))

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
            _REJECT, id=order_id, at=at, why=refusal.reason, text=refusal.detail
        )
        stands = rejected if rejected.count else await self.db.execute(_FIND, id=order_id)
        return Settled(_order(stands.rows[0]), changed=bool(rejected.count))

    async def overdue(
        self, deadline_before: datetime, after: UUID | None, limit: int
    ) -> tuple[OrderRecord, ...]:
        page = {"deadline_before": deadline_before, "after": after or FIRST_ID, "limit": limit}
        return tuple(map(_record, (await self.db.execute(_OVERDUE, **page)).rows))

    async def ledger(self) -> tuple[OrderRecord, ...]:
        return tuple(map(_record, (await self.db.execute(_ALL)).rows))


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
