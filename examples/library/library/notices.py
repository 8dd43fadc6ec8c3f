"""Notices: a letter to the member for each loan, once however often the event comes."""

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Protocol
from uuid import UUID

from sqlalchemy import Column, String, Table, Uuid, select

from borough.app import Definition
from borough.audit import Books, Violation
from borough.capability import Capability, Message, post
from borough.compose import Composition
from borough.events import Delivered, Outcome
from borough.stores.columns import tables
from borough.stores.sql import Database
from borough.stores.statements import Statement
from borough.testing.memory import Rows, atomic
from library.catalog import BookLent, Lent
from library.loans import Loans, State


class Notice(Message):
    """A letter."""

    event_id: UUID
    isbn: str
    member: str


class Notices(Capability, Protocol, path="/notices"):
    """Writes letters."""

    @post("", idempotent=True)
    async def write(self, request: Lent) -> Delivered:
        """Write a letter for each loan."""
        ...


class NoticeStore(Protocol):
    """One row for each event."""

    async def keep(self, notice: Notice) -> None: ...
    async def ledger(self) -> tuple[Notice, ...]: ...


class NoticesService(Notices):
    """The row is the letter."""

    def __init__(self, store: NoticeStore) -> None:
        self._store = store

    async def write(self, request: Lent) -> Delivered:
        for event in request.events:
            await self._store.keep(_notice(event))
        return Delivered(outcomes=(Outcome.HANDLED,) * len(request.events))


def _notice(event: BookLent) -> Notice:
    return Notice(event_id=event.event_id, isbn=event.isbn, member=event.member)


TABLES = tables()
notices = Table(
    "notices",
    TABLES,
    Column("event_id", Uuid, primary_key=True),
    Column("isbn", String(13), nullable=False),
    Column("member", String(63), nullable=False),
)
_ADD = Statement(lambda sql: sql.insert(notices).on_conflict_do_nothing())
_ALL = Statement(select(notices))


class SqlNotices(NoticeStore):
    """Letters in a table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, notice: Notice) -> None:
        await self._db.execute(_ADD, **notice.model_dump())

    async def ledger(self) -> tuple[Notice, ...]:
        return tuple(Notice(**row._asdict()) for row in (await self._db.execute(_ALL)).rows)


class MemoryNotices(Rows, NoticeStore):
    """The same in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, Notice] = {}

    @atomic
    def keep(self, notice: Notice) -> None:
        self._rows.setdefault(notice.event_id, notice)

    @atomic
    def ledger(self) -> tuple[Notice, ...]:
        return tuple(self._rows.values())


def each_loan_has_its_letter(books: Books) -> Iterator[Violation]:
    """As many letters for a member and a title as loans."""
    wanted = Counter(
        (loan.member, loan.isbn) for loan in books.of[Loans.name] if loan.state is State.LENT
    )
    written = Counter((notice.member, notice.isbn) for notice in books.of[Notices.name])
    for (member, isbn), count in (wanted - written + (written - wanted)).items():
        yield Violation("letters", member, f"{isbn}: {count} more or fewer than loans")


def make(part: Composition, store: NoticeStore) -> NoticesService:
    """The service."""
    return NoticesService(store)


CAPABILITY = Definition(
    contract=Notices,
    make=make,
    sql=SqlNotices,
    memory=MemoryNotices,
    migrations=resources.files(__package__) / "migrations" / "notices",
    consumes={BookLent: "write"},
    laws=(each_loan_has_its_letter,),
    books=lambda store: store.ledger(),
)
