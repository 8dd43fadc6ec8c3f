"""The decision on a charge, and the interface of the store. Pure."""

from datetime import datetime
from typing import Protocol

from borough_shop.payments.contract import Charge, Outcome, Verdict, VoidCharge
from borough_shop.values import OrderId

DECLINED_PREFIX = "tok_declined"
"""The prefix of tokens of test cards, which are always declined."""

SALT = b"borough_shop.payments.v1"


def decide(charge: Charge) -> Verdict:
    """The verdict on this charge, unless the order has one already."""
    if charge.card_token.startswith(DECLINED_PREFIX):
        return Verdict(order_id=charge.order_id, outcome=Outcome.DECLINED)
    return Verdict(order_id=charge.order_id, outcome=Outcome.CAPTURED, amount=charge.amount)


def void(request: VoidCharge) -> Verdict:
    """The verdict that refuses a later charge."""
    return Verdict(order_id=request.order_id, outcome=Outcome.VOIDED)


class VerdictStore(Protocol):
    """One verdict per order, never changed: the first one is stored."""

    async def find(self, order_id: OrderId) -> Verdict | None: ...

    async def decide(
        self, verdict: Verdict, token_digest: str, at: datetime
    ) -> tuple[Verdict, bool]:
        """Insert the verdict unless the order has one; return the stored one, and whether it is
        this one. `token_digest` is the stretched card token, empty for a void.
        """
        ...

    async def ledger(self) -> tuple[Verdict, ...]: ...
