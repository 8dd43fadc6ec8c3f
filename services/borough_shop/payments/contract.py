"""The contract of payments: one verdict per order, which is never changed."""

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from borough.capability import Capability, Message, post
from borough_shop.values import Money, OrderId

CardToken = Annotated[str, StringConstraints(pattern=r"^tok_[A-Za-z0-9_]{4,60}$")]


class Charge(Message):
    """Charge this amount to this card for this order."""

    order_id: OrderId
    amount: Money
    card_token: CardToken = Field(repr=False)


class VoidCharge(Message):
    """No money may be taken for this order, unless it already was."""

    order_id: OrderId


class Outcome(StrEnum):
    """What was decided; it never changes."""

    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"


class Verdict(Message):
    """The one decision about the money of an order. `amount` is set only if it was captured."""

    order_id: OrderId
    outcome: Outcome
    amount: Money | None = None


class Payments(Capability, Protocol, path="/payments"):
    """Decides once, per order, whether money was taken. Every method is idempotent by order id."""

    @post("/charges", idempotent=True)
    async def charge(self, request: Charge) -> Verdict:
        """CAPTURED or DECLINED, or the verdict that was there before (VOIDED takes nothing)."""
        ...

    @post("/voids", idempotent=True)
    async def void(self, request: VoidCharge) -> Verdict:
        """VOIDED unless there is a verdict; returns the verdict in both cases."""
        ...
