"""Do the checks of `test_races.py` find a store that loses updates, and does `write` prevent it?

Each store here decides on what it read before others wrote. A barrier lets all of them read
first, so that a rare interleaving happens in every run. In sequence the same stores pass: what
the checks find is the lost update and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from borough.outbox import Envelope, SqlOutbox, outbox
from borough.stores.sql import Database, Transaction, parse
from borough.stores.statements import Statement
from borough.testing.clock import MORNING
from borough_shop.app import APP
from borough_shop.inventory import domain
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.store import SqlStock, reservations, shelf
from borough_shop.orders.contract import OrderPlaced, OrderStatus
from borough_shop.orders.domain import Refusal, Settled
from borough_shop.orders.store import SqlOrders, orders
from borough_shop.payments.contract import Verdict
from borough_shop.payments.store import SqlVerdicts, verdicts
from borough_shop.values import Line
from shop.races import (
    MANY,
    check_last_pieces,
    check_one_claim,
    check_one_settlement,
    check_one_verdict,
)
from shop.samples import an_event, an_order

EVENTS = Statement(select(outbox))
STOCK = Statement(select(shelf.c.stock))
SET_STOCK = Statement(update(shelf).values(stock=bindparam("left")))
HOLD = Statement(insert(reservations))


ROUTES = APP.routes(APP.definitions["orders"])


@dataclass(frozen=True, slots=True)
class RacyStock(SqlStock):
    """Reads the stock, then writes the new amount: an update in between is lost."""

    unguarded: AsyncEngine
    barrier: asyncio.Barrier

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        async with self.unguarded.begin() as connection:
            stock = await connection.scalar(select(shelf.c.stock)) or 0
            await self.barrier.wait()
            if stock < lines[0].quantity:
                raise domain.out_of_stock(lines[0])
            await connection.execute(update(shelf).values(stock=stock - lines[0].quantity))
            held = Reservation(order_id=order_id, state=ReservationState.OPEN, lines=())
            await connection.execute(insert(reservations).values({**dict(held), "changed_at": at}))
            return held


@dataclass(frozen=True, slots=True)
class RacyOrders(SqlOrders):
    """Reads whether the order is pending, then settles it without checking again."""

    unguarded: AsyncEngine
    barrier: asyncio.Barrier

    async def place(self, event: OrderPlaced) -> Settled:
        return await self._settle_anyway(event.order_id, OrderStatus.PLACED)

    async def reject(self, order_id: UUID, refusal: Refusal, at: datetime) -> Settled:
        return await self._settle_anyway(order_id, OrderStatus.REJECTED)

    async def _settle_anyway(self, order_id: UUID, status: OrderStatus) -> Settled:
        before = await self.get(order_id)
        assert before is not None
        await self.barrier.wait()
        if before.status is OrderStatus.PENDING:
            async with self.unguarded.begin() as connection:
                await connection.execute(
                    update(orders).where(orders.c.order_id == order_id).values(status=status)
                )
        after = await self.get(order_id)
        assert after is not None
        return Settled(after, changed=before.status is OrderStatus.PENDING)


@dataclass(frozen=True, slots=True)
class RacyVerdicts(SqlVerdicts):
    """Reads whether there is a verdict, then lets the last writer win."""

    unguarded: AsyncEngine
    barrier: asyncio.Barrier

    async def decide(
        self, verdict: Verdict, token_digest: str, at: datetime
    ) -> tuple[Verdict, bool]:
        if (known := await self.find(verdict.order_id)) is not None:
            return known, False
        await self.barrier.wait()
        async with self.unguarded.begin() as connection:
            await connection.execute(
                verdicts.delete().where(verdicts.c.order_id == verdict.order_id)
            )
        await SqlVerdicts.decide(self, verdict, token_digest, at)
        return verdict, True


@dataclass(frozen=True, slots=True)
class RacyOutbox(SqlOutbox):
    """Reads which events are due without locking them."""

    unguarded: AsyncEngine
    barrier: asyncio.Barrier

    async def claim(
        self, consumer: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Envelope, ...]:
        async with self.unguarded.begin() as connection:
            due = select(outbox.c.event_id).where(outbox.c.due_at <= now).limit(limit)
            ids = (await connection.scalars(due)).all()
            await self.barrier.wait()
            claimed = outbox.c.event_id.in_(ids)
            await connection.execute(update(outbox).where(claimed).values(due_at=now + lease))
        rows = (await self.db.execute(EVENTS)).rows
        return tuple(
            Envelope(OrderPlaced.model_validate_json(row.event), row.trace, row.tries)
            for row in rows
            if row.event_id in ids
        )


@dataclass(frozen=True, slots=True)
class Unguarded:
    """The capability's database as the driver opens it by default, with many connections; and as
    the kit opens it, for the methods that are not overridden.
    """

    engine: AsyncEngine
    database: Database

    def kept(self, kind: type[Any]) -> tuple[Any, ...]:
        """The arguments of a store of this kind."""
        if issubclass(kind, SqlOutbox):
            return self.database, ROUTES
        if issubclass(kind, SqlOrders):
            return self.database, SqlOutbox(self.database, ROUTES)
        return (self.database,)


@pytest.fixture
async def unguarded(store_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Unguarded]:
    """The database of the capability that is the parameter of the test."""
    address = parse(store_url, request.param)
    if address.drivername == "sqlite":
        engine = create_async_engine(address.set(drivername="sqlite+aiosqlite"), pool_size=MANY)
    else:
        engine = create_async_engine(
            address.set(drivername="postgresql+asyncpg"),
            pool_size=MANY,
            connect_args={"server_settings": {"search_path": request.param}},
        )
    database = Database.open(store_url, request.param)
    yield Unguarded(engine, database)
    await database.close()
    await engine.dispose()


class InTurn:
    """A store that takes one call at a time."""

    def __init__(self, store: object) -> None:
        self._store = store
        self._turn = asyncio.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def in_turn(*args: Any) -> Any:
            async with self._turn:
                return await method(*args)

        return in_turn


@dataclass(frozen=True, slots=True)
class Planted:
    """Gives the check a pair of faulty stores, called concurrently or in sequence."""

    at_once: bool

    def stores(self, kind: type[Any], at: Unguarded, n: int) -> Any:
        """The pair. Concurrently, `n` callers have read before one of them writes."""
        barrier = asyncio.Barrier(n if self.at_once else 1)
        store = kind(*at.kept(kind), unguarded=at.engine, barrier=barrier)
        return [store if self.at_once else InTurn(store)] * 2

    def verdict(self) -> AbstractContextManager[object]:
        """The expected result of the check: an AssertionError concurrently, none in sequence."""
        return pytest.raises(AssertionError) if self.at_once else nullcontext()


@pytest.fixture(params=[True, False], ids=["at once", "in turn"])
def planted(request: pytest.FixtureRequest) -> Planted:
    """Each faulty store, called concurrently and, as a control, in sequence."""
    return Planted(at_once=request.param)


@pytest.mark.parametrize("unguarded", ["inventory"], indirect=True)
async def test_lost_update_of_stock_is_found(unguarded: Unguarded, planted: Planted) -> None:
    """Read, modify, write in the driver's default transaction sells the same piece twice."""
    stores = planted.stores(RacyStock, unguarded, 6)

    with planted.verdict():
        await check_last_pieces(stores, buyers=6, pieces=3)


@pytest.mark.parametrize("unguarded", ["orders"], indirect=True)
async def test_second_settlement_is_found(unguarded: Unguarded, planted: Planted) -> None:
    """Without `still pending` in its WHERE, an order is placed and rejected."""
    stores = planted.stores(RacyOrders, unguarded, 4)

    with planted.verdict():
        await check_one_settlement(stores)


@pytest.mark.parametrize("unguarded", ["payments"], indirect=True)
async def test_second_verdict_is_found(unguarded: Unguarded, planted: Planted) -> None:
    """Where the last writer wins, a customer is charged for a voided order."""
    stores = planted.stores(RacyVerdicts, unguarded, 4)

    with planted.verdict():
        await check_one_verdict(stores)


@pytest.mark.parametrize("unguarded", ["orders"], indirect=True)
async def test_event_claimed_twice_is_found(unguarded: Unguarded, planted: Planted) -> None:
    """Without a lock on due events, every relay claims them."""
    store = SqlOrders(unguarded.database, SqlOutbox(unguarded.database, ROUTES))
    for number in range(3):
        await store.begin(an_order(number), f"key-{number}", "print", MORNING)
        await store.place(an_event(an_order(number)))
    relays = planted.stores(RacyOutbox, unguarded, MANY)

    with planted.verdict():
        await check_one_claim(relays, "notifications", events=3)


@dataclass(frozen=True, slots=True)
class ReadsThenWrites(SqlStock):
    """The same, in a transaction of the kit."""

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        async def reserve(tx: Transaction) -> Reservation:
            stock = (await tx.execute(STOCK)).rows[0].stock
            if stock < lines[0].quantity:
                raise domain.out_of_stock(lines[0])
            await tx.execute(SET_STOCK, left=stock - lines[0].quantity)
            held = Reservation(order_id=order_id, state=ReservationState.OPEN, lines=())
            await tx.execute(HOLD, **dict(held), changed_at=at)
            return held

        return await self.db.transaction(reserve)


async def test_begin_immediate_prevents_lost_updates_of_a_faulty_store(sqlite_url: str) -> None:
    """Two processes on one file: what is read in a transaction cannot be changed by another."""
    replicas = [Database.open(sqlite_url, "inventory", synchronous="NORMAL") for _ in range(2)]
    stores = [ReadsThenWrites(database) for database in replicas]

    await check_last_pieces(stores, buyers=40, pieces=20)
    for database in replicas:
        await database.close()
