"""Notices: a letter to the member for each loan, once also if the event is repeated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select

from borough.app import Definition
from borough.audit import Ledgers, Violation
from borough.capability import Capability, post
from borough.events import Delivered, Events
from borough.stores.sql import Database
from borough.stores.statements import Statement, table
from library.catalog import BookLent
from library.loans import Loans, State


class Notices(Capability, Protocol, path="/notices"):
    """Writes letters."""

    @post("", idempotent=True)
    async def write(self, request: Events[BookLent]) -> Delivered:
        """Write a letter for each loan."""
        ...


notices = table("notices", BookLent, key="event_id")
_ADD = Statement(lambda sql: sql.insert(notices).on_conflict_do_nothing())
_ALL = Statement(select(notices))


@dataclass(frozen=True, slots=True)
class SqlNotices(Notices):
    """Letters in a table."""

    db: Database

    async def write(self, request: Events[BookLent]) -> Delivered:
        for event in request.events:
            await self.db.execute(_ADD, **event.model_dump())
        return Delivered.all(request.events)

    async def ledger(self) -> tuple[BookLent, ...]:
        return (await self.db.execute(_ALL)).of(BookLent)


def a_letter_for_each_loan(ledgers: Ledgers) -> Iterator[Violation]:
    """As many letters for a member and a title as loans."""
    lent = (loan for loan in ledgers.of[Loans.name] if loan.state is State.LENT)
    loans = Counter((loan.member, loan.isbn) for loan in lent)
    letters = Counter((letter.member, letter.isbn) for letter in ledgers.of[Notices.name])
    for member, isbn in loans.keys() | letters.keys():
        if loans[member, isbn] != letters[member, isbn]:
            yield Violation("letters", member, f"{isbn}: {loans[member, isbn]} loans")


CAPABILITY = Definition(
    contract=Notices, sql=SqlNotices, consumes={BookLent: "write"}, laws=(a_letter_for_each_loan,)
)
