"""Loans: a member borrows a copy, once for each loan id, also after failures and retries."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy import bindparam, select, update

from borough.app import Definition
from borough.audit import Ledgers, Violation
from borough.capability import Capability, Message, post
from borough.compose import Composition
from borough.errors import Conflict, Refused
from borough.outbox import SqlOutbox
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement, table
from library.catalog import BookLent, Catalog, Hold


class State(StrEnum):
    """PENDING becomes LENT or REFUSED, once."""

    PENDING = "pending"
    LENT = "lent"
    REFUSED = "refused"


class Lend(Message):
    """A member's request for a title, idempotent by its id."""

    loan_id: UUID
    isbn: str
    member: str


class Loan(Lend):
    """A loan with its state."""

    state: State = State.PENDING


class Loans(Capability, Protocol, path="/loans"):
    """Lends copies."""

    @post("", idempotent=True)
    async def lend(self, request: Lend) -> Loan:
        """Lend a copy, or return the existing loan. Raises Conflict if none is free."""
        ...


loans = table("loans", Loan, key="loan_id")
_OF, _IS_PENDING = loans.c.loan_id == bindparam("of"), loans.c.state == State.PENDING
_BEGIN = Statement(lambda sql: sql.insert(loans).on_conflict_do_nothing())
_FIND = Statement(select(loans).where(_OF), brief=True)
_SETTLE = Statement(update(loans).where(_OF, _IS_PENDING).values(state=bindparam("to")))
_PENDING, _ALL = Statement(select(loans).where(_IS_PENDING)), Statement(select(loans))


@dataclass(frozen=True, slots=True)
class SqlLoans:
    """Loans in a table, with the outbox beside them."""

    db: Database
    outbox: SqlOutbox

    async def begin(self, loan: Loan) -> Loan:
        """Add a loan; returns the stored one with its id."""
        await self.db.execute(_BEGIN, **loan.model_dump())
        return (await self.db.execute(_FIND, of=loan.loan_id)).of(Loan)[0]

    async def settle(self, loan: Loan, event: BookLent | None, at: datetime) -> Loan:
        """If PENDING, set the state of `loan` and write its event. Returns the stored loan."""

        async def settle(tx: Transaction) -> Loan:
            settled = await tx.execute(_SETTLE, of=loan.loan_id, to=loan.state)
            if settled.count and event is not None:
                await self.outbox.enqueue(tx, event, None, at)
            return (await tx.execute(_FIND, of=loan.loan_id)).of(Loan)[0]

        return await self.db.transaction(settle)

    async def pending(self) -> tuple[Loan, ...]:
        return (await self.db.execute(_PENDING)).of(Loan)

    async def at_rest(self) -> bool:
        return not await self.pending()

    async def ledger(self) -> tuple[Loan, ...]:
        return (await self.db.execute(_ALL)).of(Loan)


class LoansService(Loans):
    """A loan that has begun is settled by its request, or else by `settle_pending`."""

    def __init__(self, part: Composition, store: SqlLoans) -> None:
        self._part, self._store, self._catalog = part, store, part.ask(Catalog)
        part.repeat("loans.settle", self.settle_pending, every_s=1)

    async def lend(self, request: Lend) -> Loan:
        loan = await self._store.begin(Loan(**request.model_dump()))
        if (loan.isbn, loan.member) != (request.isbn, request.member):
            raise Conflict(f"the loan {loan.loan_id} is another one")
        if loan.state is State.PENDING:
            loan = await self._settle(loan)
        if loan.state is State.REFUSED:
            raise Conflict(f"no copy of {loan.isbn} could be lent")
        return loan

    async def _settle(self, loan: Loan) -> Loan:
        clock, event = self._part.clock, None
        try:
            await self._catalog.hold(Hold(loan_id=loan.loan_id, isbn=loan.isbn))
            event = BookLent(
                event_id=clock.new_id(), schema_version=1, isbn=loan.isbn, member=loan.member
            )
            loan = loan.model_copy(update={"state": State.LENT})
        except Refused:
            loan = loan.model_copy(update={"state": State.REFUSED})
        settled = await self._store.settle(loan, event, clock.now())
        self._part.wake_relays()
        return settled

    async def settle_pending(self) -> None:
        """Settle loans that a crash or a lost response left pending."""
        for loan in await self._store.pending():
            await self._settle(loan)


def no_loan_is_pending(ledgers: Ledgers) -> Iterator[Violation]:
    """After a drain each is lent or refused."""
    for loan in ledgers.of[Loans.name]:
        if loan.state is State.PENDING:
            yield Violation("pending", str(loan.loan_id), "the loan is neither lent nor refused")


def each_loan_has_its_copy_and_is_counted(ledgers: Ledgers) -> Iterator[Violation]:
    """One hold a loan that is lent; of each title, as many copies are taken and counted."""
    titles, holds = ledgers.of[Catalog.name]
    lent = {loan.loan_id: loan.isbn for loan in ledgers.of[Loans.name] if loan.state is State.LENT}
    for loan_id, _ in lent.items() ^ {hold.loan_id: hold.isbn for hold in holds}.items():
        yield Violation("hold", str(loan_id), "lent and not held, or held and not lent")
    count = Counter(lent.values())
    for title in titles:
        for kind, found in (("copies", title.copies - title.free), ("count", title.lent)):
            if found != count[title.isbn]:
                yield Violation(kind, title.isbn, f"{found}, but {count[title.isbn]} loans")


CAPABILITY = Definition(
    contract=Loans,
    sql=SqlLoans,
    make=LoansService,
    calls=(Catalog,),
    publishes=(BookLent,),
    laws=(no_loan_is_pending, each_loan_has_its_copy_and_is_counted),
    counts=lambda ledger: Counter(loan.state for loan in ledger),
)
