"""Loyalty: a point for each euro. A seventh capability for the shop, of which no file is touched.

borough migrate --app loyalty:APP
borough serve loyalty --app loyalty:APP
"""

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Protocol
from uuid import UUID

from sqlalchemy import BigInteger, Column, String, Table, Uuid, bindparam, func, select

from borough.app import Definition
from borough.audit import Books, Violation
from borough.capability import Capability, Message, post, read
from borough.compose import Composition
from borough.events import Delivered, Outcome
from borough.stores.columns import tables
from borough.stores.sql import Database
from borough.stores.statements import Statement
from borough.testing.memory import Rows, atomic
from borough_shop.app import APP as SHOP
from borough_shop.notifications.contract import Deliver
from borough_shop.orders.contract import OrderPlaced, Orders, OrderStatus

EUR_CENTS_A_POINT = 100


class Customer(Message):
    """Whose points."""

    customer_id: str


class Points(Message):
    """How many points a customer has."""

    customer_id: str
    points: int


class Award(Message):
    """Points for one order."""

    order_id: UUID
    customer_id: str
    points: int


class Loyalty(Capability, Protocol, path="/loyalty"):
    """Counts points."""

    @post("", idempotent=True)
    async def award(self, request: Deliver) -> Delivered:
        """Award points for placed orders, once for each."""
        ...

    @read("/{customer_id}")
    async def points(self, request: Customer) -> Points:
        """How many points a customer has; 0 for one without an order."""
        ...


class LoyaltyService(Loyalty):
    """The row is the award."""

    def __init__(self, store: "SqlAwards | MemoryAwards") -> None:
        self._store = store

    async def award(self, request: Deliver) -> Delivered:
        for event in request.events:
            await self._store.add(_award(event))
        return Delivered(outcomes=(Outcome.HANDLED,) * len(request.events))

    async def points(self, request: Customer) -> Points:
        points = await self._store.points(request.customer_id)
        return Points(customer_id=request.customer_id, points=points)


def _award(event: OrderPlaced) -> Award:
    return Award(
        order_id=event.order_id,
        customer_id=event.customer_id,
        points=event.total.minor // EUR_CENTS_A_POINT,
    )


TABLES = tables()
awards = Table(
    "awards",
    TABLES,
    Column("order_id", Uuid, primary_key=True),
    Column("customer_id", String(63), nullable=False, index=True),
    Column("points", BigInteger, nullable=False),
)
_ADD = Statement(lambda sql: sql.insert(awards).on_conflict_do_nothing())
_SUM = Statement(
    select(func.coalesce(func.sum(awards.c.points), 0).label("points")).where(
        awards.c.customer_id == bindparam("customer_id")
    )
)
_ALL = Statement(select(awards))


class SqlAwards:
    """Awards in a table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, award: Award) -> None:
        await self._db.execute(_ADD, **award.model_dump())

    async def points(self, customer_id: str) -> int:
        return int((await self._db.execute(_SUM, customer_id=customer_id)).rows[0].points)

    async def ledger(self) -> tuple[Award, ...]:
        return tuple(Award(**row._asdict()) for row in (await self._db.execute(_ALL)).rows)


class MemoryAwards(Rows):
    """The same in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, Award] = {}

    @atomic
    def add(self, award: Award) -> None:
        self._rows.setdefault(award.order_id, award)

    @atomic
    def points(self, customer_id: str) -> int:
        return sum(row.points for row in self._rows.values() if row.customer_id == customer_id)

    @atomic
    def ledger(self) -> tuple[Award, ...]:
        return tuple(self._rows.values())


def each_placed_order_is_awarded(books: Books) -> Iterator[Violation]:
    """One award for each placed order, and none for another."""
    placed = Counter(
        record.order.order_id
        for record in books.of[Orders.name]
        if record.order.status is OrderStatus.PLACED
    )
    awarded = Counter(award.order_id for award in books.of[Loyalty.name])
    for order_id in placed.keys() ^ awarded.keys():
        yield Violation("points-astray", str(order_id), "placed without an award, or the reverse")


def make(part: Composition, store: "SqlAwards | MemoryAwards") -> LoyaltyService:
    """The service."""
    return LoyaltyService(store)


CAPABILITY = Definition(
    contract=Loyalty,
    make=make,
    sql=SqlAwards,
    memory=MemoryAwards,
    migrations=resources.files(__name__) / "migrations",
    consumes={OrderPlaced: "award"},
    laws=(each_placed_order_is_awarded,),
    books=lambda store: store.ledger(),
)

APP = SHOP.adding(CAPABILITY, shapes=resources.files(__name__) / "shapes.toml")
