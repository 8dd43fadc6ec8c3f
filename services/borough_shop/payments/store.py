"""Verdicts in a table, one row per order, never changed: its primary key refuses a second."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from borough.stores.sql import Database
from borough.stores.statements import Statement, Utc, tables
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from borough_shop.values import Money, OrderId

TABLES = tables()

verdicts = sa.Table(
    "verdicts",
    TABLES,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("currency", sa.String(3)),
    sa.Column("token_digest", sa.String(64), nullable=False),
    sa.Column("decided_at", Utc, nullable=False),
    sa.CheckConstraint("(outcome = 'captured') = (amount_minor IS NOT NULL)", name="amount"),
    sa.CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="currency"),
)

_FIND = Statement(
    sa.select(verdicts).where(verdicts.c.order_id == sa.bindparam("order_id")), brief=True
)
_ADD = Statement(lambda sql: sql.insert(verdicts).on_conflict_do_nothing())
_ALL = Statement(sa.select(verdicts))


@dataclass(frozen=True, slots=True)
class SqlVerdicts(VerdictStore):
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
