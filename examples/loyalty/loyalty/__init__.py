"""Loyalty: a point for each euro. A seventh capability for the shop, without a change to its files.

borough migrate --app loyalty:APP
borough serve loyalty --app loyalty:APP
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Protocol
from uuid import UUID

from sqlalchemy import bindparam, func, select

from borough.app import Definition
from borough.audit import Ledgers, Violation
from borough.capability import Capability, Message, post, read
from borough.events import Delivered
from borough.stores.sql import Database
from borough.stores.statements import Statement, table
from borough_shop.app import APP as SHOP
from borough_shop.notifications.contract import Deliver
from borough_shop.orders.contract import OrderPlaced, Orders, OrderStatus

EUR_CENTS_A_POINT = 100


class Customer(Message):
    """The customer whose points are read."""

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


awards = table("awards", Award, key="order_id")
_ADD = Statement(lambda sql: sql.insert(awards).on_conflict_do_nothing())
_SUM = Statement(
    select(func.coalesce(func.sum(awards.c.points), 0).label("points")).where(
        awards.c.customer_id == bindparam("customer_id")
    )
)
_ALL = Statement(select(awards))


@dataclass(frozen=True, slots=True)
class SqlLoyalty(Loyalty):
    """Awards in a table: the row is the award."""

    db: Database

    async def award(self, request: Deliver) -> Delivered:
        for event in request.events:
            award = Award(
                order_id=event.order_id,
                customer_id=event.customer_id,
                points=event.total.minor // EUR_CENTS_A_POINT,
            )
            await self.db.execute(_ADD, **award.model_dump())
        return Delivered.all(request.events)

    async def points(self, request: Customer) -> Points:
        found = await self.db.execute(_SUM, customer_id=request.customer_id)
        return Points(customer_id=request.customer_id, points=int(found.rows[0].points))

    async def ledger(self) -> tuple[Award, ...]:
        return (await self.db.execute(_ALL)).of(Award)


def each_placed_order_is_awarded(ledgers: Ledgers) -> Iterator[Violation]:
    """One award for each placed order, and none for another."""
    placed = Counter(
        record.order.order_id
        for record in ledgers.of[Orders.name]
        if record.order.status is OrderStatus.PLACED
    )
    awarded = Counter(award.order_id for award in ledgers.of[Loyalty.name])
    for order_id in placed.keys() ^ awarded.keys():
        yield Violation("award", str(order_id), "placed without an award, or the reverse")


CAPABILITY = Definition(
    contract=Loyalty,
    sql=SqlLoyalty,
    consumes={OrderPlaced: "award"},
    laws=(each_placed_order_is_awarded,),
)

APP = SHOP.adding(CAPABILITY, shapes=resources.files(__name__) / "shapes.toml")
