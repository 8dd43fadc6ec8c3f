"""Loans: a member takes a copy home, once for each loan id, whatever happens on the way."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from importlib import resources
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Column, String, Table, Uuid, bindparam, select, update

from borough.app import Definition
from borough.audit import Books, Violation
from borough.capability import Capability, Message, post
from borough.clock import Clock
from borough.compose import Composition
from borough.errors import BoroughError, Conflict, Refused
from borough.outbox import SqlOutbox
from borough.stores.columns import tables
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement
from borough.testing.memory import Checkpoint, Rows, atomic
from borough.testing.outbox import MemoryOutbox
from library.catalog import BookLent, Catalog, Hold


class State(StrEnum):
    """PENDING becomes LENT or REFUSED, once."""

    PENDING = "pending"
    LENT = "lent"
    REFUSED = "refused"


class Lend(Message):
    """A member wants a title; the id makes it harmless to ask twice."""

    loan_id: UUID
    isbn: str
    member: str


class Loan(Lend):
    """What became of it."""

    state: State


class Loans(Capability, Protocol, path="/loans"):
    """Lends copies."""

    @post("", idempotent=True)
    async def lend(self, request: Lend) -> Loan:
        """Lend a copy, or answer what became of this loan. Raises Conflict where none is free."""
        ...


class LoanStore(Protocol):
    """Every method is one transaction. A loan that is settled stays as it is."""

    async def begin(self, loan: Loan) -> Loan: ...
    async def settle(self, loan: Loan, event: BookLent | None, at: datetime) -> Loan: ...
    async def pending(self) -> tuple[Loan, ...]: ...
    async def ledger(self) -> tuple[Loan, ...]: ...


class LoansService(Loans):
    """A loan that has begun is settled: by this request, or by `once`, which looks for the rest."""

    def __init__(
        self, store: LoanStore, catalog: Catalog, clock: Clock, lent: Callable[[], object]
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._lent = lent

    async def lend(self, request: Lend) -> Loan:
        loan = await self._store.begin(Loan(**request.model_dump(), state=State.PENDING))
        if loan.state is State.PENDING:
            loan = await self._settle(loan)
        if loan.state is State.REFUSED:
            raise Conflict(f"no copy of {loan.isbn} could be lent")
        return loan

    async def _settle(self, loan: Loan) -> Loan:
        try:
            await self._catalog.hold(Hold(loan_id=loan.loan_id, isbn=loan.isbn))
        except Refused:
            return await self._store.settle(_now(loan, State.REFUSED), None, self._clock.now())
        event = BookLent(
            event_id=self._clock.new_id(), schema_version=1, isbn=loan.isbn, member=loan.member
        )
        settled = await self._store.settle(_now(loan, State.LENT), event, self._clock.now())
        self._lent()
        return settled

    async def once(self) -> None:
        """Settle what a crash or a lost answer left pending."""
        for loan in await self._store.pending():
            await self._settle(loan)

    async def run(self) -> None:
        """For ever, with a pause."""
        while True:
            with suppress(BoroughError):  # a peer or the store is away: the next round tries again
                await self.once()
            await self._clock.sleep(1)


def _now(loan: Loan, state: State) -> Loan:
    return loan.model_copy(update={"state": state})


TABLES = tables()
loans = Table(
    "loans",
    TABLES,
    Column("loan_id", Uuid, primary_key=True),
    Column("isbn", String(13), nullable=False),
    Column("member", String(63), nullable=False),
    Column("state", String(16), nullable=False, index=True),
)
_OF = loans.c.loan_id == bindparam("id")
_BEGIN = Statement(lambda sql: sql.insert(loans).on_conflict_do_nothing())
_FIND = Statement(select(loans).where(_OF), brief=True)
_SETTLE = Statement(
    update(loans)
    .where(_OF, loans.c.state == State.PENDING)
    .values(state=bindparam("to"))
    .returning(loans.c.loan_id)
)
_PENDING = Statement(select(loans).where(loans.c.state == State.PENDING))
_ALL = Statement(select(loans))


class SqlLoans(LoanStore):
    """Loans in a table, with the outbox beside them."""

    def __init__(self, db: Database, outbox: SqlOutbox) -> None:
        self._db = db
        self.outbox = outbox

    async def begin(self, loan: Loan) -> Loan:
        await self._db.execute(_BEGIN, **loan.model_dump())
        return _loan((await self._db.execute(_FIND, id=loan.loan_id)).rows[0])

    async def settle(self, loan: Loan, event: BookLent | None, at: datetime) -> Loan:
        async def settle(tx: Transaction) -> Loan:
            if (await tx.execute(_SETTLE, id=loan.loan_id, to=loan.state)).count and event:
                await self.outbox.enqueue(tx, event, None, at)
            return _loan((await tx.execute(_FIND, id=loan.loan_id)).rows[0])

        return await self._db.transaction(settle)

    async def pending(self) -> tuple[Loan, ...]:
        return tuple(map(_loan, (await self._db.execute(_PENDING)).rows))

    async def ledger(self) -> tuple[Loan, ...]:
        return tuple(map(_loan, (await self._db.execute(_ALL)).rows))


def _loan(row: Any) -> Loan:
    return Loan(**row._asdict())


class MemoryLoans(Rows, LoanStore):
    """The same in memory."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        super().__init__()
        self.outbox = outbox
        self._loans: dict[UUID, Loan] = {}

    def through(self, checkpoint: Checkpoint) -> "MemoryLoans":
        view = super().through(checkpoint)
        view.outbox = self.outbox.through(checkpoint)
        return view

    @atomic
    def begin(self, loan: Loan) -> Loan:
        return self._loans.setdefault(loan.loan_id, loan)

    @atomic
    def settle(self, loan: Loan, event: BookLent | None, at: datetime) -> Loan:
        if self._loans[loan.loan_id].state is State.PENDING:
            self._loans[loan.loan_id] = loan
            if event is not None:
                self.outbox.enqueue(event, None, at)
        return self._loans[loan.loan_id]

    @atomic
    def pending(self) -> tuple[Loan, ...]:
        return tuple(loan for loan in self._loans.values() if loan.state is State.PENDING)

    @atomic
    def ledger(self) -> tuple[Loan, ...]:
        return tuple(self._loans.values())


def each_loan_has_its_copy(books: Books) -> Iterator[Violation]:
    """A lent copy is held, a held copy is lent, and nothing is pending in the end."""
    held = {hold.loan_id for hold in books.of[Catalog.name].holds}
    for loan in books.of[Loans.name]:
        if loan.state is State.PENDING:
            yield Violation("pending", str(loan.loan_id), "the loan is neither lent nor refused")
        elif (loan.state is State.LENT) != (loan.loan_id in held):
            yield Violation("copy-astray", str(loan.loan_id), f"{loan.state}, held: {held}")


def each_loan_is_counted(books: Books) -> Iterator[Violation]:
    """A title was lent as often as there are loans of it."""
    lent = Counter(loan.isbn for loan in books.of[Loans.name] if loan.state is State.LENT)
    for title in books.of[Catalog.name].titles:
        if title.lent != lent[title.isbn]:
            yield Violation(
                "miscounted", title.isbn, f"{title.lent} counted, {lent[title.isbn]} lent"
            )


async def at_rest(store: LoanStore) -> bool:
    """Whether no loan is pending."""
    return not await store.pending()


def make(part: Composition, store: LoanStore) -> LoansService:
    """The service, and the loop that settles what was left pending."""
    service = LoansService(store, part.ask(Catalog), part.clock, part.wake_relays)
    part.background("loans.settle", service)
    return service


CAPABILITY = Definition(
    contract=Loans,
    make=make,
    sql=SqlLoans,
    memory=MemoryLoans,
    migrations=resources.files(__package__) / "migrations" / "loans",
    calls=(Catalog,),
    publishes=(BookLent,),
    laws=(each_loan_has_its_copy, each_loan_is_counted),
    books=lambda store: store.ledger(),
    counts=lambda ledger: Counter(loan.state for loan in ledger),
    at_rest=at_rest,
)
