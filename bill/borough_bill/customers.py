"""Customers at the REST door: real orders, each repeated under its own key until it is settled.

A customer sees what any client sees. Whatever leaves the outcome open - no connection, a 202, a
503, a 504 - makes them send the same order again under the same Idempotency-Key, which is safe.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aiohttp

from borough_bill.audit import Audit
from borough_bill.shapes import LocalShape

PLACED, ABANDONED = "placed", "abandoned"
ENDINGS = frozenset(
    {PLACED, "out-of-stock", "unknown-sku", "profile-missing", "payment-declined", ABANDONED}
)
"""How an order may end: placed, or rejected with the code of one of these problems."""
LOST = "lost"
"""The word for an order whose end could not be learnt. There must be none."""

OK = (200, 201)
NO_ANSWER = 0
OPEN = (NO_ANSWER, 202, 429, 502, 503, 504)
"""What leaves open how the order ends, unless the problem's code is an ending."""

PAUSE = 0.05
LONGEST_PAUSE = 0.5


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


class Clients:
    """The customers of a running shape. In seconds, `patience` bounds an errand, `wait` one try."""

    def __init__(self, shape: LocalShape, *, patience: float = 90, wait: float = 15) -> None:
        self._shape = shape
        self._patience = patience
        self._wait = wait
        self._turn = count()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._wait),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def ask(
        self, verb: str, path: str, customer: Customer, **request: Any
    ) -> tuple[int, dict[str, Any]]:
        """One try at the next replica of the door; (0, {}) when no whole answer came."""
        if self._http is None:
            raise ValueError("the clients are not there yet")
        addresses = self._shape.addresses(path)
        url = addresses[next(self._turn) % len(addresses)] + path
        headers = {"authorization": f"Bearer {customer.key}", **request.pop("headers", {})}
        try:
            async with self._http.request(verb, url, headers=headers, **request) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return NO_ANSWER, {}

    async def menu(self, customer: Customer) -> tuple[str, ...]:
        """The SKUs there are, sorted."""
        status, menu = await self.ask("GET", "/v1/menu", customer)
        if status not in OK:
            raise ValueError(f"the menu answers {status}: {menu}")
        return tuple(item["sku"] for item in menu["items"])

    async def introduce(self, customers: Iterable[Customer]) -> None:
        """Write each customer's profile."""
        for customer in customers:
            profile = {
                "name": customer.name,
                "email": f"{customer.name}@example.com",
                "card_token": customer.card_token,
            }
            status, answer = await self.ask("PUT", "/v1/profile", customer, json=profile)
            if status not in OK:
                raise ValueError(f"the profile of {customer.name} answers {status}: {answer}")

    async def run(self, errand: Errand) -> Outcome:
        """Place an order, repeating it under its key until it is settled or patience ends."""
        order = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in errand.lines]}
        until = time.monotonic() + self._patience
        statuses: list[int] = []
        while time.monotonic() < until:
            status, answer = await self.ask(
                "POST",
                "/v1/orders",
                errand.customer,
                json=order,
                headers={"idempotency-key": errand.key},
            )
            statuses.append(status)
            if (word := _word(status, answer)) is not None:
                return Outcome(errand, word, tuple(statuses))
            await asyncio.sleep(min(PAUSE * 2 ** len(statuses), LONGEST_PAUSE))
        return Outcome(errand, LOST, tuple(statuses))


class Shopping:
    """Customers who run errands, `at_once` at the same time, while the `async with` lasts.

    At its end nobody starts another errand, and those under way come to their ends.
    """

    def __init__(
        self,
        clients: Clients,
        errands: Iterable[Errand],
        *,
        at_once: int,
        tell: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._clients = clients
        self._open = True
        self._errands = takewhile(lambda _: self._open, errands)
        self._at_once = at_once
        self._tell = tell
        self._news = asyncio.Condition()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for _ in range(self._at_once):
            self._group.create_task(self._shop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open = False
        await self._group.__aexit__(kind, error, at)

    async def _shop(self) -> None:
        for errand in self._errands:
            outcome = await self._clients.run(errand)
            self._tell(outcome)
            async with self._news:
                self.outcomes.append(outcome)
                self._news.notify_all()
            if outcome.word == ABANDONED:  # who was told "not now" does not come back at once
                await asyncio.sleep(LONGEST_PAUSE)

    async def reaches(self, number: int) -> None:
        """Wait until so many errands have come to an end."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.outcomes) >= number)


def _word(status: int, answer: dict[str, Any]) -> str | None:
    """What became of the order, None while that is open."""
    if status in OK:
        return PLACED
    code = str(answer.get("code", status))
    return None if status in OPEN and code not in ENDINGS else code
