"""Verdicts in a table, one row per order, never changed: by its key the first writer wins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    String,
    Table,
    Uuid,
    bindparam,
    select,
)

from borough.stores.sql import Database
from borough.stores.statements import Statement, Utc, tables
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from borough_shop.values import Money, OrderId

TABLES = tables()

verdicts = Table(
    "verdicts",
    TABLES,
    Column("order_id", Uuid, primary_key=True),
    Column("outcome", String(16), nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", String(3)),
    Column("token_digest", String(64), nullable=False),
    Column("decided_at", Utc, nullable=False),
    CheckConstraint("(outcome = 'captured') = (amount_minor IS NOT NULL)", name="amount"),
    CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="currency"),
)

_FIND = Statement(select(verdicts).where(verdicts.c.order_id == bindparam("order_id")), brief=True)
_ADD = Statement(lambda sql: sql.insert(verdicts).on_conflict_do_nothing())
_ALL = Statement(select(verdicts))


@dataclass(frozen=True, slots=True)
class SqlVerdicts(VerdictStore):
    """The books of payments."""

    db: Database

    async def find(self, order_id: OrderId) -> Verdict | None:
        row = (await self.db.execute(_FIND, order_id=order_id)).first()
        return None if row is None else _verdict(row)

    async def decide(
        self, verdict: Verdict, token_digest: str, at: datetime
    ) -> tuple[Verdict, bool]:
        written = await self.db.execute(
            _ADD,
            order_id=verdict.order_id,
            outcome=verdict.outcome,
            amount_minor=verdict.amount and verdict.amount.minor,
            currency=verdict.amount and verdict.amount.currency,
            token_digest=token_digest,
            decided_at=at,
        )
        if written.count:
            return verdict, True
        stands = await self.db.execute(_FIND, order_id=verdict.order_id)  # rows are never deleted
        return _verdict(stands.rows[0]), False

    async def ledger(self) -> tuple[Verdict, ...]:
        return tuple(map(_verdict, (await self.db.execute(_ALL)).rows))


def _verdict(row: Any) -> Verdict:
    outcome = Outcome(row.outcome)
    if outcome is not Outcome.CAPTURED:
        return Verdict(order_id=row.order_id, outcome=outcome)
    amount = Money(minor=row.amount_minor, currency=row.currency)
    return Verdict(order_id=row.order_id, outcome=outcome, amount=amount)
