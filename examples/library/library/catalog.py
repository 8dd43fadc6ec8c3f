"""The catalogue: which titles there are, who holds their copies, and how often each was lent."""

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Column, Integer, String, Table, Uuid, bindparam, delete, func, select

from borough.app import Definition
from borough.audit import Books, Violation
from borough.capability import Capability, Message, post, read
from borough.compose import Composition
from borough.errors import Conflict, NotFound
from borough.events import Delivered, Event, Outcome
from borough.stores.columns import tables
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement
from borough.testing.memory import Rows, atomic


class Title(Message):
    """A title: how many copies there are, how many are free, how often one was lent."""

    isbn: str
    name: str
    copies: int
    free: int = 0
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


class Lent(Message):
    """Loans to be counted."""

    events: tuple[BookLent, ...]


class Catalog(Capability, Protocol, path="/catalog"):
    """Keeps the titles."""

    @read("/{isbn}")
    async def find(self, request: Find) -> Title:
        """One title. Raises NotFound."""
        ...

    @post("/holds", idempotent=True)
    async def hold(self, request: Hold) -> Hold:
        """Hold a copy for a loan. Raises NotFound, and Conflict where none is free."""
        ...

    @post("/lent", idempotent=True)
    async def count(self, request: Lent) -> Delivered:
        """Count loans; an event that comes twice counts once."""
        ...


class CatalogStore(Protocol):
    """Every method is one transaction."""

    async def add(self, title: Title) -> None: ...
    async def find(self, isbn: str) -> Title | None: ...
    async def hold(self, hold: Hold) -> bool: ...
    async def count(self, event: BookLent) -> None: ...
    async def ledger(self) -> "CatalogBooks": ...


class CatalogBooks(NamedTuple):
    """Every title, and every copy that is held."""

    titles: tuple[Title, ...]
    holds: tuple[Hold, ...]


class CatalogService(Catalog):
    """The guards stand in the store."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store

    async def find(self, request: Find) -> Title:
        title = await self._store.find(request.isbn)
        if title is None:
            raise NotFound(f"there is no title {request.isbn}")
        return title

    async def hold(self, request: Hold) -> Hold:
        await self.find(Find(isbn=request.isbn))
        if not await self._store.hold(request):
            raise Conflict(f"no copy of {request.isbn} is free")
        return request

    async def count(self, request: Lent) -> Delivered:
        for event in request.events:
            await self._store.count(event)
        return Delivered(outcomes=(Outcome.HANDLED,) * len(request.events))


TABLES = tables()
titles = Table(
    "titles",
    TABLES,
    Column("isbn", String(13), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("copies", Integer, nullable=False),
)
holds = Table(
    "holds",
    TABLES,
    Column("loan_id", Uuid, primary_key=True),
    Column("isbn", String(13), nullable=False, index=True),
)
counted = Table(
    "counted",
    TABLES,
    Column("event_id", Uuid, primary_key=True),
    Column("isbn", String(13), nullable=False, index=True),
)
_ISBN = bindparam("isbn", type_=String)
_HELD = select(func.count()).where(holds.c.isbn == titles.c.isbn).scalar_subquery()
_LENT = select(func.count()).where(counted.c.isbn == titles.c.isbn).scalar_subquery()
_TITLES = select(titles, (titles.c.copies - _HELD).label("free"), _LENT.label("lent"))
_ALL, _FIND = Statement(_TITLES), Statement(_TITLES.where(titles.c.isbn == _ISBN))
_LOCK = Statement(select(titles.c.copies).where(titles.c.isbn == _ISBN).with_for_update())
_ADD = Statement(lambda sql: sql.insert(titles).on_conflict_do_nothing())
_HOLD = Statement(lambda sql: sql.insert(holds).on_conflict_do_nothing())
_DROP = Statement(delete(holds).where(holds.c.loan_id == bindparam("loan_id")))
_HOLDS = Statement(select(holds))
_COUNT = Statement(lambda sql: sql.insert(counted).on_conflict_do_nothing())


class SqlCatalog(CatalogStore):
    """Titles, holds and counted loans in tables."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, title: Title) -> None:
        await self._db.execute(_ADD, isbn=title.isbn, name=title.name, copies=title.copies)

    async def find(self, isbn: str) -> Title | None:
        row = (await self._db.execute(_FIND, isbn=isbn)).first()
        return None if row is None else _title(row)

    async def hold(self, hold: Hold) -> bool:
        async def take(tx: Transaction) -> bool:
            await tx.execute(_LOCK, isbn=hold.isbn)  # of two who want the last copy, one waits
            if not (await tx.execute(_HOLD, **hold.model_dump())).count:
                return True
            if _title((await tx.execute(_FIND, isbn=hold.isbn)).rows[0]).free >= 0:
                return True
            await tx.execute(_DROP, loan_id=hold.loan_id)
            return False

        return await self._db.transaction(take)

    async def count(self, event: BookLent) -> None:
        await self._db.execute(_COUNT, event_id=event.event_id, isbn=event.isbn)

    async def ledger(self) -> CatalogBooks:
        held = (Hold(**row._asdict()) for row in (await self._db.execute(_HOLDS)).rows)
        return CatalogBooks(tuple(map(_title, (await self._db.execute(_ALL)).rows)), tuple(held))


def _title(row: Any) -> Title:
    return Title(**row._asdict())


class MemoryCatalog(Rows, CatalogStore):
    """The same in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._titles: dict[str, Title] = {}
        self._holds: dict[UUID, Hold] = {}
        self._counted: dict[UUID, str] = {}

    @atomic
    def add(self, title: Title) -> None:
        self._titles.setdefault(title.isbn, title)

    @atomic
    def find(self, isbn: str) -> Title | None:
        return self._now(isbn) if isbn in self._titles else None

    @atomic
    def hold(self, hold: Hold) -> bool:
        if hold.loan_id not in self._holds and not self._now(hold.isbn).free:
            return False
        self._holds.setdefault(hold.loan_id, hold)
        return True

    @atomic
    def count(self, event: BookLent) -> None:
        self._counted[event.event_id] = event.isbn

    @atomic
    def ledger(self) -> CatalogBooks:
        return CatalogBooks(tuple(map(self._now, self._titles)), tuple(self._holds.values()))

    def _now(self, isbn: str) -> Title:
        title, held = self._titles[isbn], [h.isbn for h in self._holds.values()]
        lent = list(self._counted.values()).count(isbn)
        return title.model_copy(update={"free": title.copies - held.count(isbn), "lent": lent})


def no_more_is_held_than_there_is(books: Books) -> Iterator[Violation]:
    """A title's copies are never fewer than those that are held."""
    own: CatalogBooks = books.of[Catalog.name]
    held = Counter(hold.isbn for hold in own.holds)
    for title in own.titles:
        if held[title.isbn] > title.copies:
            yield Violation("overlent", title.isbn, f"{held[title.isbn]} of {title.copies} held")


def make(part: Composition, store: CatalogStore) -> CatalogService:
    """The service."""
    return CatalogService(store)


CAPABILITY = Definition(
    contract=Catalog,
    make=make,
    sql=SqlCatalog,
    memory=MemoryCatalog,
    migrations=resources.files(__package__) / "migrations" / "catalog",
    consumes={BookLent: "count"},
    laws=(no_more_is_held_than_there_is,),
    books=lambda store: store.ledger(),
)
