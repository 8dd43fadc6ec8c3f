"""The catalogue: which titles there are, how many copies are free, and how often each was lent."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import Column, Table, Uuid, bindparam, select, update

from borough.app import Definition
from borough.capability import Capability, Message, post, read
from borough.errors import Conflict, NotFound
from borough.events import Delivered, Event, Events
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement, table, tables


class Title(Message):
    """A title: how many copies there are, how many are free, how often one was lent."""

    isbn: str
    name: str
    copies: int
    free: int
    lent: int = 0


class Find(Message):
    """One title."""

    isbn: str


class Hold(Message):
    """A copy of a title, for one loan."""

    loan_id: UUID
    isbn: str


class BookLent(Event, name="book-lent"):
    """A copy was lent."""

    isbn: str
    member: str


class Catalog(Capability, Protocol, path="/catalog"):
    """Keeps the titles."""

    @read("/{isbn}")
    async def find(self, request: Find) -> Title:
        """One title. Raises NotFound."""
        ...

    @post("/holds", idempotent=True)
    async def hold(self, request: Hold) -> Hold:
        """Hold a copy for a loan. Raises Conflict where none is free."""
        ...

    @post("/lent", idempotent=True)
    async def count(self, request: Events[BookLent]) -> Delivered:
        """Count loans; an event that comes twice counts once."""
        ...


titles, holds = table("titles", Title, key="isbn"), table("holds", Hold, key="loan_id")
counted = Table("counted", tables(), Column("event_id", Uuid, primary_key=True))

_OF = titles.c.isbn == bindparam("of")
_FIND = Statement(select(titles).where(_OF), brief=True)
_ALL, _HOLDS = Statement(select(titles)), Statement(select(holds))
_ADD = Statement(lambda sql: sql.insert(titles).on_conflict_do_nothing())
_HOLD = Statement(lambda sql: sql.insert(holds).on_conflict_do_nothing())
_TAKE = Statement(update(titles).where(_OF, titles.c.free > 0).values(free=titles.c.free - 1))
_COUNT = Statement(lambda sql: sql.insert(counted).on_conflict_do_nothing())
_LEND = Statement(update(titles).where(_OF).values(lent=titles.c.lent + 1))


@dataclass(frozen=True, slots=True)
class SqlCatalog(Catalog):
    """Titles in a table: the store, and also the service, since it calls no other capability."""

    db: Database

    async def add(self, title: Title) -> None:
        """Add a title; an existing one is not changed."""
        await self.db.execute(_ADD, **title.model_dump())

    async def find(self, request: Find) -> Title:
        for title in (await self.db.execute(_FIND, of=request.isbn)).of(Title):
            return title
        raise NotFound(f"there is no title {request.isbn}")

    async def hold(self, request: Hold) -> Hold:
        async def hold(tx: Transaction) -> None:
            fresh = await tx.execute(_HOLD, **request.model_dump())
            if fresh.count and not (await tx.execute(_TAKE, of=request.isbn)).count:
                raise Conflict(f"no copy of {request.isbn} is free")

        await self.db.transaction(hold)
        return request

    async def count(self, request: Events[BookLent]) -> Delivered:
        async def count(tx: Transaction) -> None:
            for event in request.events:
                if (await tx.execute(_COUNT, event_id=event.event_id)).count:
                    await tx.execute(_LEND, of=event.isbn)

        await self.db.transaction(count)
        return Delivered.all(request.events)

    async def ledger(self) -> tuple[tuple[Title, ...], tuple[Hold, ...]]:
        kept, held = await self.db.execute(_ALL), await self.db.execute(_HOLDS)
        return kept.of(Title), held.of(Hold)


CAPABILITY = Definition(contract=Catalog, sql=SqlCatalog, consumes={BookLent: "count"})
