"""Values that several contracts share: identifiers, money, lines of a basket.

Money is an integer count of minor units (cents) with its currency; it is never a float and never
mixed across currencies.
"""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from borough.capability import Message

OrderId = UUID
EventId = UUID
CustomerId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sku = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Quantity = Annotated[int, Field(ge=1, le=1_000, strict=True)]
Moment = AwareDatetime

FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
"""The bounds of ids: those of the first page."""
MAX_MINOR = 10**15
"""The bound of sums: far above any order, far below the maximum of a 64-bit column."""


class Money(Message):
    """An amount in minor units of one currency."""

    minor: Annotated[int, Field(ge=0, le=MAX_MINOR, strict=True)]
    currency: Currency

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(minor=self.minor + other.minor, currency=self.currency)

    def times(self, quantity: int) -> "Money":
        """The price of `quantity` pieces."""
        return Money(minor=self.minor * quantity, currency=self.currency)


class Line(Message):
    """A quantity of one article."""

    sku: Sku
    quantity: Quantity


class PricedLine(Line):
    """A line at the price it was reserved for, per piece."""

    price: Money


class Basket(Message):
    """The order of a customer: 1 to 50 lines, each article at most once."""

    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]

    @field_validator("lines")
    @classmethod
    def _each_article_once(cls, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        skus = [line.sku for line in lines]
        if twice := sorted({sku for sku in skus if skus.count(sku) > 1}):
            raise ValueError(f"{', '.join(twice)} stands in more than one line: add the quantities")
        return lines


def total_of(lines: Iterable[PricedLine]) -> Money:
    """The sum of priced lines. Raises ValueError when there are none or currencies differ."""
    first, *rest = (line.price.times(line.quantity) for line in lines)
    for amount in rest:
        first += amount
    return first
