"""Twin of the store of verdicts: the first writer wins.

As short as it is because one dictionary is all that it keeps; every room has the same files.
"""

from datetime import datetime
from uuid import UUID

from borough.testing.memory import Rows, atomic
from borough_shop.payments.contract import Verdict


class MemoryVerdicts(Rows):
    """Twin of `SqlVerdicts`."""

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
