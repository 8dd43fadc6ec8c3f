"""Customers at the REST door: real orders, each repeated under its own key until it is settled.

A customer sees what any client sees. Whatever leaves the outcome open - no connection, a 202, a
503, a 504 - makes them send the same order again under the same Idempotency-Key, which is safe.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count, takewhile
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from borough_bill.load.customers import ABANDONED, ENDINGS, LOST, PLACED, Customer, Errand, Outcome

OK = (200, 201)
NO_ANSWER = 0
OPEN = (NO_ANSWER, 202, 429, 502, 503, 504)
"""What leaves open how the order ends, unless the problem's code is an ending."""

PAUSE = 0.05
LONGEST_PAUSE = 0.5


class Door(Protocol):
    """Somewhere orders are taken: a shape on this machine, or one address of one anywhere."""

    def addresses(self, path: str) -> tuple[str, ...]:
        """Base URLs that a public path is asked at, in turn."""
        ...


@dataclass(frozen=True, slots=True)
class Url:
    """A door that is known by one base URL, whoever stands behind it."""

    url: str

    def addresses(self, path: str) -> tuple[str, ...]:
        return (self.url,)


class NotServed(Exception):
    """A door lets no customer in; the message says what it answered."""


class Clients:
    """The customers at a door. In seconds, `patience` bounds an errand, `wait` one try."""

    def __init__(self, door: Door, *, patience: float = 90, wait: float = 15) -> None:
        self._door = door
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
        """One try at the next replica of the door; (0, {}) when no whole answer came.

        Whoever answers on the way to the door need not speak JSON: then there is only a status.
        """
        if self._http is None:
            raise ValueError("the clients are not there yet")
        addresses = self._door.addresses(path)
        url = addresses[next(self._turn) % len(addresses)] + path
        headers = {"authorization": f"Bearer {customer.key}", **request.pop("headers", {})}
        try:
            async with self._http.request(verb, url, headers=headers, **request) as answer:
                return answer.status, _document(await answer.read())
        except (aiohttp.ClientError, TimeoutError):
            return NO_ANSWER, {}

    async def menu(self, customer: Customer) -> tuple[str, ...]:
        """The SKUs there are, sorted. Raises NotServed."""
        status, menu = (await self._insist(_refused, "GET", "/v1/menu", customer))[-1]
        if status not in OK:
            raise NotServed(f"the menu answers {status}: {menu}")
        return tuple(item["sku"] for item in menu["items"])

    async def introduce(self, customers: Iterable[Customer]) -> None:
        """Write each customer's profile. Raises NotServed."""
        for customer in customers:
            profile = {
                "name": customer.name,
                "email": f"{customer.name}@example.com",
                "card_token": customer.card_token,
            }
            tries = await self._insist(_refused, "PUT", "/v1/profile", customer, json=profile)
            status, answer = tries[-1]
            if status not in OK:
                raise NotServed(f"the profile of {customer.name} answers {status}: {answer}")

    async def run(self, errand: Errand) -> Outcome:
        """Place an order, repeating it under its key until it is settled or patience ends."""
        order = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in errand.lines]}
        tries = await self._insist(
            _word,
            "POST",
            "/v1/orders",
            errand.customer,
            json=order,
            headers={"idempotency-key": errand.key},
        )
        return Outcome(errand, _word(*tries[-1]) or LOST, tuple(status for status, _ in tries))

    async def _insist(
        self,
        end: Callable[[int, dict[str, Any]], str | None],
        verb: str,
        path: str,
        customer: Customer,
        **request: Any,
    ) -> list[tuple[int, dict[str, Any]]]:
        """Every try, up to one whose answer is an end of the matter or to the end of patience."""
        until = time.monotonic() + self._patience
        tries = [await self.ask(verb, path, customer, **request)]
        while end(*tries[-1]) is None and time.monotonic() < until:
            await asyncio.sleep(min(PAUSE * 2 ** len(tries), LONGEST_PAUSE))
            tries.append(await self.ask(verb, path, customer, **request))
        return tries


class Shopping:
    """Customers who run errands, `at_once` at the same time, while the `async with` lasts.

    They rest for `pause` seconds after each. At its end nobody starts another errand, and those
    under way come to their ends.
    """

    def __init__(
        self,
        clients: Clients,
        errands: Iterable[Errand],
        *,
        at_once: int,
        pause: float = 0,
        tell: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._clients = clients
        self._open = True
        self._errands = takewhile(lambda _: self._open, errands)
        self._at_once = at_once
        self._pause = pause
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
            # Who was told "not now" does not come back at once.
            await asyncio.sleep(LONGEST_PAUSE if outcome.word == ABANDONED else self._pause)

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


def _refused(status: int, _: dict[str, Any]) -> str | None:
    """The status, None where the same request may fare better in a moment."""
    return None if status in OPEN else str(status)


def _document(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where it is something else."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
