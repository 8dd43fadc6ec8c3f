"""Customers: who they are, what they want, and what became of it.

How they order, repeating each under its key until it is settled, stands in `clients`.
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
"""How an order may end: placed, or rejected with the code of one of these problems."""
LOST = "lost"
"""The word for an order whose end could not be learnt. There must be none."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an API key and a card."""

    name: str
    key: str
    card_token: str


@dataclass(frozen=True, slots=True)
class Errand:
    """An order a customer means to place, under the key it will always be sent with."""

    customer: Customer
    key: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an errand: one of ENDINGS, LOST, or the code of an unexpected problem.

    `statuses` are all answers on the way; 0 where none came.
    """

    errand: Errand
    word: str
    statuses: tuple[int, ...]

    @property
    def settled(self) -> bool:
        """Whether the order came to one of its proper ends."""
        return self.word in ENDINGS


def crowd(size: int, *, declined: int = 0) -> tuple[Customer, ...]:
    """So many customers; the cards of the last `declined` ones are always declined."""
    return tuple(
        Customer(
            name=f"customer-{number}",
            key=f"key-of-customer-{number}",
            card_token=f"{'tok_declined' if number > size - declined else 'tok_visa'}_{number:04}",
        )
        for number in range(1, size + 1)
    )


def errands(
    chance: random.Random, customers: tuple[Customer, ...], menu: tuple[str, ...]
) -> Iterator[Errand]:
    """Orders without end: most want the first article of the menu, many want another one too."""
    favourite, *others = menu
    while True:
        lines = {favourite: chance.randint(1, 2)} if chance.random() < 0.6 else {}  # noqa: PLR2004
        if not lines or chance.random() < 0.3:  # noqa: PLR2004  # tastes, not limits
            lines[chance.choice(others)] = chance.randint(1, 3)
        key = str(UUID(int=chance.getrandbits(128), version=4))
        yield Errand(chance.choice(customers), key, tuple(lines.items()))


def by_word(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many orders ended how, the most frequent first."""
    return dict(Counter(outcome.word for outcome in outcomes).most_common())


def disagreements(outcomes: Iterable[Outcome], audit: Audit) -> tuple[str, ...]:
    """Where the books hold more or fewer orders of a status than customers were told of.

    The auditor compares the books with each other: an order that is in none of them he cannot
    miss. The customer who was told that it is placed can.
    """
    told = Counter(PLACED if outcome.word == PLACED else "rejected" for outcome in outcomes)
    held = Counter(audit.orders)
    return tuple(
        f"customers were told of {told[status]} {status} orders, the books hold {held[status]}"
        for status in sorted({*told, *held})
        if told[status] != held[status]
    )
