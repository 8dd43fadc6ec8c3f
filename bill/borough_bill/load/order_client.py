"""Customers at the REST door: each order is repeated under its own key until it is settled.

An answer that leaves the outcome open (no connection, 202, 429, 502, 503, 504) is followed by the
same order under the same Idempotency-Key, which is safe.
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

from borough_bill.load.customers import (
    ABANDONED,
    ENDINGS,
    LOST,
    PLACED,
    Customer,
    OrderPlan,
    Outcome,
)

OK = (200, 201)
NO_ANSWER = 0
OPEN = (NO_ANSWER, 202, 429, 502, 503, 504)
"""Statuses that leave open how the order ends, unless the problem's code is one of ENDINGS."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
"""Seconds between two attempts; each pause is twice the one before."""


class Door(Protocol):
    """Where orders are placed: a local shape, or a base URL."""

    def addresses(self, path: str) -> tuple[str, ...]:
        """Base URLs of the replicas that serve a public path; they are used in turn."""
        ...


@dataclass(frozen=True, slots=True)
class Url:
    """A door that has one base URL."""

    url: str

    def addresses(self, path: str) -> tuple[str, ...]:
        return (self.url,)


class NotServed(Exception):
    """A set-up request was refused; the message holds the answer."""


class OrderClient:
    """Sends requests to a door. `settle_within_s` bounds all attempts of one, `timeout_s` each."""

    def __init__(self, door: Door, *, settle_within_s: float = 90, timeout_s: float = 15) -> None:
        self._door = door
        self._settle_within_s = settle_within_s
        self._timeout_s = timeout_s
        self._turn = count()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def request(
        self, verb: str, path: str, customer: Customer, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        """Send one attempt to the next replica; the status is 0 without a whole answer.

        A body that is no JSON object, as of a proxy, becomes {}. Raises ValueError outside of the
        `async with`.
        """
        if self._http is None:
            raise ValueError("the client is not open")
        addresses = self._door.addresses(path)
        url = addresses[next(self._turn) % len(addresses)] + path
        headers = {"authorization": f"Bearer {customer.key}", **options.pop("headers", {})}
        try:
            async with self._http.request(verb, url, headers=headers, **options) as answer:
                return answer.status, _json_object(await answer.read())
        except (aiohttp.ClientError, TimeoutError):
            return NO_ANSWER, {}

    async def menu(self, customer: Customer) -> tuple[str, ...]:
        """The SKUs on the menu, in its order. Raises NotServed."""
        status, menu = (await self._retried(_refusal, "GET", "/v1/menu", customer))[-1]
        if status not in OK:
            raise NotServed(f"the menu answers {status}: {menu}")
        return tuple(item["sku"] for item in menu["items"])

    async def put_profiles(self, customers: Iterable[Customer]) -> None:
        """Write each customer's profile. Raises NotServed."""
        for customer in customers:
            profile = {
                "name": customer.name,
                "email": f"{customer.name}@example.com",
                "card_token": customer.card_token,
            }
            attempts = await self._retried(_refusal, "PUT", "/v1/profile", customer, json=profile)
            status, answer = attempts[-1]
            if status not in OK:
                raise NotServed(f"the profile of {customer.name} answers {status}: {answer}")

    async def run(self, plan: OrderPlan) -> Outcome:
        """Place an order, repeating it under its key until it is settled or the time is over."""
        order = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in plan.lines]}
        attempts = await self._retried(
            _ending,
            "POST",
            "/v1/orders",
            plan.customer,
            json=order,
            headers={"idempotency-key": plan.key},
        )
        statuses = tuple(status for status, _ in attempts)
        return Outcome(plan, _ending(*attempts[-1]) or LOST, statuses)

    async def _retried(
        self,
        ending: Callable[[int, dict[str, Any]], str | None],
        verb: str,
        path: str,
        customer: Customer,
        **options: Any,
    ) -> list[tuple[int, dict[str, Any]]]:
        """All attempts, until `ending` is not None for one or the time is over."""
        until = time.monotonic() + self._settle_within_s
        attempts = [await self.request(verb, path, customer, **options)]
        while ending(*attempts[-1]) is None and time.monotonic() < until:
            await asyncio.sleep(min(FIRST_PAUSE * 2 ** len(attempts), LONGEST_PAUSE))
            attempts.append(await self.request(verb, path, customer, **options))
        return attempts


class ClosedLoop:
    """`at_once` concurrent customers that place orders while the `async with` lasts.

    Each waits for its order to end and then pauses for `pause` seconds. When the context ends, no
    further order is started, and those under way run to their end. `on_outcome` is called with each
    outcome.
    """

    def __init__(
        self,
        client: OrderClient,
        plans: Iterable[OrderPlan],
        *,
        at_once: int,
        pause: float = 0,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._client = client
        self._open = True
        self._plans = takewhile(lambda _: self._open, plans)
        self._at_once = at_once
        self._pause = pause
        self._on_outcome = on_outcome
        self._changed = asyncio.Condition()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for _ in range(self._at_once):
            self._group.create_task(self._place_orders())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open = False
        await self._group.__aexit__(kind, error, at)

    async def _place_orders(self) -> None:
        for plan in self._plans:
            outcome = await self._client.run(plan)
            self._on_outcome(outcome)
            async with self._changed:
                self.outcomes.append(outcome)
                self._changed.notify_all()
            # The shop abandons an order when a part of it does not answer: pause before the next.
            await asyncio.sleep(LONGEST_PAUSE if outcome.ending == ABANDONED else self._pause)

    async def wait_for(self, number: int) -> None:
        """Wait until this many orders have ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.outcomes) >= number)


def _ending(status: int, answer: dict[str, Any]) -> str | None:
    """How the order ended; None while that is open."""
    if status in OK:
        return PLACED
    code = str(answer.get("code", status))
    return None if status in OPEN and code not in ENDINGS else code


def _refusal(status: int, _: dict[str, Any]) -> str | None:
    """The status; None where the same request may succeed later."""
    return None if status in OPEN else str(status)


def _json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where the body is something else."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
