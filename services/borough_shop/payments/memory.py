"""Verdicts in memory: only the first one of an order is stored.

Short because it keeps one dictionary; every capability has the same files.
"""

from datetime import datetime
from uuid import UUID

from borough.testing.memory import Rows, atomic
from borough_shop.payments.contract import Verdict


class MemoryVerdicts(Rows):
    def __init__(self) -> None:
        super().__init__()
        self._verdicts: dict[UUID, Verdict] = {}

    @atomic
    def find(self, order_id: UUID) -> Verdict | None:
        return self._verdicts.get(order_id)

    @atomic
    def decide(self, verdict: Verdict, token_digest: str, at: datetime) -> tuple[Verdict, bool]:
        ours = verdict.order_id not in self._verdicts
        return self._verdicts.setdefault(verdict.order_id, verdict), ours

    @atomic
    def ledger(self) -> tuple[Verdict, ...]:
        return tuple(self._verdicts.values())
