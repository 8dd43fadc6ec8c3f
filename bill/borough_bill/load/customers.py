"""Customers, the orders they plan to place, and how these orders ended.

`order_client` places them.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from borough_bill.targets.audit import Audit

PLACED, ABANDONED = "placed", "abandoned"
ENDINGS = frozenset(
    {PLACED, "out-of-stock", "unknown-sku", "profile-missing", "payment-declined", ABANDONED}
)
"""The endings that are correct: placed, or rejected with the code of one of these problems."""
LOST = "lost"
"""The ending of an order that stayed open until the time was over: its real end is unknown."""


@dataclass(frozen=True, slots=True)
class Customer:
    """An API key, and the card that pays."""

    name: str
    key: str
    card_token: str


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """An order to place: SKUs with quantities, and the idempotency key of all its attempts."""

    customer: Customer
    key: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended: `ending` is one of ENDINGS, LOST, or the code of an unexpected problem.

    `statuses` are those of all attempts; 0 stands for no answer.
    """

    plan: OrderPlan
    ending: str
    statuses: tuple[int, ...]

    @property
    def settled(self) -> bool:
        """Whether the ending is one of ENDINGS."""
        return self.ending in ENDINGS


def make_customers(size: int, *, declined: int = 0) -> tuple[Customer, ...]:
    """`size` customers; the cards of the last `declined` of them are always declined."""
    return tuple(
        Customer(
            name=f"customer-{number}",
            key=f"key-of-customer-{number}",
            card_token=f"{'tok_declined' if number > size - declined else 'tok_visa'}_{number:04}",
        )
        for number in range(1, size + 1)
    )


def order_plans(
    chance: random.Random, customers: tuple[Customer, ...], menu: tuple[str, ...]
) -> Iterator[OrderPlan]:
    """An endless series of random orders.

    60 % contain the first article of the menu; another article is in 30 % of these and in all the
    others.
    """
    favourite, *others = menu
    while True:
        lines = {favourite: chance.randint(1, 2)} if chance.random() < 0.6 else {}  # noqa: PLR2004
        if not lines or chance.random() < 0.3:  # noqa: PLR2004  # as in the docstring
            lines[chance.choice(others)] = chance.randint(1, 3)
        key = str(UUID(int=chance.getrandbits(128), version=4))
        yield OrderPlan(chance.choice(customers), key, tuple(lines.items()))


def count_by_ending(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """The number of orders by ending, the most frequent first."""
    return dict(Counter(outcome.ending for outcome in outcomes).most_common())


def disagreements(outcomes: Iterable[Outcome], audit: Audit) -> tuple[str, ...]:
    """A sentence for each status of which the stores hold more or fewer orders than were answered.

    The auditor compares the stores with each other, so it cannot find an order that is in none of
    them. Comparing them with the answers that customers got can.
    """
    answered = Counter(PLACED if outcome.ending == PLACED else "rejected" for outcome in outcomes)
    held = Counter(audit.orders)
    return tuple(
        f"customers were answered {answered[status]} {status} orders, "
        f"the stores hold {held[status]}"
        for status in sorted({*answered, *held})
        if answered[status] != held[status]
    )
