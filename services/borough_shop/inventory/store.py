"""Articles and reservations in tables. Stock is taken and returned only by guarded updates.

Every transaction locks the reservation first and then the articles, sorted by SKU, so that there
is no deadlock.
"""

import tomllib
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import resources
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from borough.errors import Invalid
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Document, Result, Statement, Utc, any_of, tables
from borough_shop.inventory import domain
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article, StockStore
from borough_shop.values import Line, Money, PricedLine

TABLES = tables()

shelf = sa.Table(
    "articles",
    TABLES,
    sa.Column("sku", sa.String(63), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("price_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("stock", sa.BigInteger, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.CheckConstraint("stock >= 0 AND stock <= received", name="stock"),
    sa.CheckConstraint("price_minor >= 0", name="price"),
)

reservations = sa.Table(
    "reservations",
    TABLES,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("lines", Document(tuple[PricedLine, ...]), nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
)

_OF_ORDER = reservations.c.order_id == sa.bindparam("id")
_OF_ARTICLE = shelf.c.sku == sa.bindparam("article")
_QUANTITY = sa.bindparam("quantity", type_=sa.BigInteger)

_RECEIVE = Statement(lambda sql: sql.insert(shelf).on_conflict_do_nothing().returning(shelf.c.sku))
_ARTICLES = Statement(sa.select(shelf).order_by(shelf.c.sku))
_THESE = Statement(lambda sql: sa.select(shelf).where(any_of(sql, shelf.c.sku, "skus")))
_TAKE = Statement(
    sa.update(shelf)
    .where(_OF_ARTICLE, shelf.c.stock >= _QUANTITY)
    .values(stock=shelf.c.stock - _QUANTITY)
    .returning(shelf.c.sku)
)
_GIVE_BACK = Statement(
    sa.update(shelf)
    .where(_OF_ARTICLE)
    .values(stock=shelf.c.stock + _QUANTITY)
    .returning(shelf.c.sku)
)
_FIND = Statement(sa.select(reservations).where(_OF_ORDER), brief=True)
_ADD = Statement(lambda sql: sql.insert(reservations).on_conflict_do_nothing())
_CLOSE = Statement(
    sa.update(reservations)
    .where(_OF_ORDER, reservations.c.state == ReservationState.OPEN)
    .values(state=sa.bindparam("to"), changed_at=sa.bindparam("at"))
    .returning(reservations)
)
_ALL = Statement(sa.select(reservations))


def menu(stock: int) -> list[Article]:
    """The articles that are seeded, with `stock` pieces of each."""
    text = (resources.files("borough_shop.inventory") / "menu.toml").read_text(encoding="utf-8")
    return [
        Article(
            sku=sku,
            name=item["name"],
            price=Money(minor=item["price"], currency="EUR"),
            stock=stock,
            received=stock,
        )
        for sku, item in tomllib.loads(text).items()
    ]


@dataclass(frozen=True, slots=True)
class SqlStock(StockStore):
    db: Database

    async def receive(self, articles: tuple[Article, ...]) -> None:
        rows = []
        for article in sorted(articles, key=lambda article: article.sku):
            row = asdict(article)
            price: Money = row.pop("price")
            rows.append(row | {"price_minor": price.minor, "currency": price.currency})
        await self.db.execute_many(_RECEIVE, rows)

    async def articles(self) -> tuple[Article, ...]:
        return tuple(map(_article, (await self.db.execute(_ARTICLES)).rows))

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        async def reserve(tx: Transaction) -> Reservation:
            found = await tx.execute(_THESE, skus=[line.sku for line in lines])
            try:
                asked = domain.priced(lines, {row.sku: _article(row) for row in found.rows})
            except Invalid:  # not an error for a known order
                if (known := (await tx.execute(_FIND, id=order_id)).first()) is None:
                    raise
                return _unless_released(_reservation(known))
            held = Reservation(order_id=order_id, state=ReservationState.OPEN, lines=asked)
            if not (await _add(tx, held, at)).count:
                return _unless_released(await _standing(tx, order_id))
            taken = await tx.execute_many(_TAKE, _pieces(held))
            if len(taken) < len(held.lines):
                skus = {row.sku for row in taken}
                short = next(line for line in held.lines if line.sku not in skus)
                raise domain.out_of_stock(short)
            return held

        return await self.db.transaction(reserve)

    async def commit(self, order_id: UUID, at: datetime) -> Reservation:
        closed = await self.db.execute(_CLOSE, id=order_id, to=ReservationState.COMMITTED, at=at)
        row = (closed if closed.count else await self.db.execute(_FIND, id=order_id)).first()
        if row is None or row.state != ReservationState.COMMITTED:
            raise domain.commit_after_release(order_id)
        return _reservation(row)

    async def release(self, order_id: UUID, at: datetime) -> Reservation:
        tombstone = Reservation(order_id=order_id, state=ReservationState.RELEASED, lines=())

        async def release(tx: Transaction) -> Reservation:
            if (await _add(tx, tombstone, at)).count:
                return tombstone
            closed = await tx.execute(_CLOSE, id=order_id, to=ReservationState.RELEASED, at=at)
            if not closed.count:
                return await _standing(tx, order_id)
            freed = _reservation(closed.rows[0])
            await tx.execute_many(_GIVE_BACK, _pieces(freed))
            return freed

        stands = await self.db.transaction(release)
        if stands.state is ReservationState.COMMITTED:
            raise domain.release_after_commit(order_id)
        return stands

    async def ledger(self) -> tuple[Reservation, ...]:
        return tuple(map(_reservation, (await self.db.execute(_ALL)).rows))


async def _add(tx: Transaction, reservation: Reservation, at: datetime) -> Result:
    """Its count is 1 if the order had no row. On PostgreSQL this waits for another transaction that
    is writing one.
    """
    return await tx.execute(_ADD, **dict(reservation), changed_at=at)


async def _standing(tx: Transaction, order_id: UUID) -> Reservation:
    """The existing row, which is there since rows are never deleted."""
    return _reservation((await tx.execute(_FIND, id=order_id)).rows[0])


def _pieces(reservation: Reservation) -> list[dict[str, Any]]:
    return [{"article": line.sku, "quantity": line.quantity} for line in reservation.lines]


def _unless_released(reservation: Reservation) -> Reservation:
    if reservation.state is ReservationState.RELEASED:
        raise domain.released(reservation.order_id)
    return reservation


def _reservation(row: Any) -> Reservation:
    return Reservation(order_id=row.order_id, state=row.state, lines=row.lines)


def _article(row: Any) -> Article:
    return Article(
        sku=row.sku,
        name=row.name,
        price=Money(minor=row.price_minor, currency=row.currency),
        stock=row.stock,
        received=row.received,
    )
