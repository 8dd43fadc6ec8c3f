"""Articles and reservations in tables. Stock is taken and given back only by guarded updates.

Every transaction touches the reservation first and the articles after it, sorted by SKU, so nobody
waits for somebody who waits for them.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import resources
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Row,
    Select,
    String,
    Table,
    Uuid,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from borough.contracts.inventory import Reservation, ReservationState
from borough.contracts.values import Line, Money, PricedLine
from borough.inventory import domain
from borough.inventory.domain import Article, StockStore
from borough.kit.columns import Document, Utc, tables
from borough.kit.sql import Database, insert

TABLES = tables()

shelf = Table(
    "articles",
    TABLES,
    Column("sku", String(63), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("stock", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    CheckConstraint("stock >= 0 AND stock <= received", name="stock"),
    CheckConstraint("price_minor >= 0", name="price"),
)

reservations = Table(
    "reservations",
    TABLES,
    Column("order_id", Uuid, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("lines", Document(tuple[PricedLine, ...]), nullable=False),
    Column("changed_at", Utc, nullable=False),
)


def menu(stock: int) -> list[Article]:
    """What the shop sells from its first day, with so many pieces of each."""
    text = (resources.files("borough.inventory") / "menu.toml").read_text(encoding="utf-8")
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
    """The books of inventory."""

    db: Database

    async def receive(self, articles: tuple[Article, ...]) -> None:
        async with self.db.write() as connection:
            for article in sorted(articles, key=lambda article: article.sku):
                row = asdict(article)
                price: Money = row.pop("price")
                row |= {"price_minor": price.minor, "currency": price.currency}
                await connection.execute(
                    insert(connection, shelf).values(row).on_conflict_do_nothing()
                )

    async def articles(self) -> tuple[Article, ...]:
        async with self.db.read() as connection:
            found = await connection.execute(select(shelf).order_by(shelf.c.sku))
            return tuple(map(_article, found))

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        async with self.db.write() as connection:
            if (known := await _find(connection, order_id)) is not None:
                return _unless_released(known)
            asked = shelf.c.sku.in_([line.sku for line in lines])
            found = map(_article, await connection.execute(select(shelf).where(asked)))
            held = Reservation(
                order_id=order_id,
                state=ReservationState.OPEN,
                lines=domain.priced(lines, {article.sku: article for article in found}),
            )
            if not await _insert(connection, held, at):
                return _unless_released(await _standing(connection, order_id))
            await _take(connection, held.lines)
            return held

    async def commit(self, order_id: UUID, at: datetime) -> Reservation:
        async with self.db.write() as connection:
            stands = await _close(connection, order_id, ReservationState.COMMITTED, at)
            stands = stands or await _find(connection, order_id)
        if stands is None or stands.state is not ReservationState.COMMITTED:
            raise domain.commit_after_release(order_id)
        return stands

    async def release(self, order_id: UUID, at: datetime) -> Reservation:
        tombstone = Reservation(order_id=order_id, state=ReservationState.RELEASED, lines=())
        async with self.db.write() as connection:
            if await _insert(connection, tombstone, at):
                return tombstone
            freed = await _close(connection, order_id, ReservationState.RELEASED, at)
            if freed is not None:
                await _give_back(connection, freed.lines)
                return freed
            stands = await _standing(connection, order_id)
        if stands.state is ReservationState.COMMITTED:
            raise domain.release_after_commit(order_id)
        return stands

    async def ledger(self) -> tuple[Reservation, ...]:
        async with self.db.read() as connection:
            return tuple(map(_reservation, await connection.execute(select(reservations))))


async def _insert(connection: AsyncConnection, reservation: Reservation, at: datetime) -> bool:
    """Whether the order had no row yet. On PostgreSQL this waits for whoever is writing one."""
    row = {**dict(reservation), "changed_at": at}
    written = await connection.execute(
        insert(connection, reservations).values(row).on_conflict_do_nothing()
    )
    return written.rowcount == 1


async def _close(
    connection: AsyncConnection, order_id: UUID, state: ReservationState, at: datetime
) -> Reservation | None:
    """The reservation, if it was OPEN until now."""
    changed = await connection.execute(
        update(reservations)
        .where(reservations.c.order_id == order_id, reservations.c.state == ReservationState.OPEN)
        .values(state=state, changed_at=at)
        .returning(reservations)
    )
    row = changed.one_or_none()
    return None if row is None else _reservation(row)


async def _take(connection: AsyncConnection, lines: Iterable[PricedLine]) -> None:
    for line in lines:
        taken = await connection.execute(
            update(shelf)
            .where(shelf.c.sku == line.sku, shelf.c.stock >= line.quantity)
            .values(stock=shelf.c.stock - line.quantity)
        )
        if not taken.rowcount:
            raise domain.out_of_stock(line)


async def _give_back(connection: AsyncConnection, lines: Iterable[PricedLine]) -> None:
    for line in lines:
        await connection.execute(
            update(shelf).where(shelf.c.sku == line.sku).values(stock=shelf.c.stock + line.quantity)
        )


async def _find(connection: AsyncConnection, order_id: UUID) -> Reservation | None:
    row = (await connection.execute(_of(order_id))).one_or_none()
    return None if row is None else _reservation(row)


async def _standing(connection: AsyncConnection, order_id: UUID) -> Reservation:
    """The row that stood in the way; rows are never deleted."""
    return _reservation((await connection.execute(_of(order_id))).one())


def _of(order_id: UUID) -> Select[Any]:
    return select(reservations).where(reservations.c.order_id == order_id)


def _unless_released(reservation: Reservation) -> Reservation:
    if reservation.state is ReservationState.RELEASED:
        raise domain.released(reservation.order_id)
    return reservation


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(order_id=row.order_id, state=row.state, lines=row.lines)


def _article(row: Row[Any]) -> Article:
    return Article(
        sku=row.sku,
        name=row.name,
        price=Money(minor=row.price_minor, currency=row.currency),
        stock=row.stock,
        received=row.received,
    )
