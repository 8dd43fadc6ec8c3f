"""`borough-bill customers`: a closed loop of orders at the REST door.

An order is repeated under its own Idempotency-Key while its answer leaves the outcome open. Unlike
in `load`, a customer begins the next order only when the last one has ended. So the result does not
say what latency is under a given load, but whether an order was lost while parts were replaced.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID, uuid4

import aiohttp
import typer

from borough_bill.load import Data
from borough_bill.load.generator import JobFailed, read_keys
from borough_bill.load.wire import Address, BadAddress
from borough_bill.targets.audit import Audit

PLACED, ABANDONED = "placed", "abandoned"
ENDINGS = frozenset(
    {PLACED, "out-of-stock", "unknown-sku", "profile-missing", "payment-declined", ABANDONED}
)
"""The endings that are correct: placed, or rejected with the code of one of these problems."""
LOST = "lost"
"""The ending of an order that stayed open until the time was over: its real end is unknown."""
OK = (200, 201)
NO_ANSWER = 0
OPEN = (NO_ANSWER, 202, 429, 502, 503, 504)
"""Statuses that leave open how the order ends, unless the problem's code is one of ENDINGS."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
"""Seconds between two attempts; each pause is twice the one before."""
LISTED = 20
"""Orders without a correct ending that are listed one by one."""


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
    """An endless series of random orders: 60 % contain the first article of the menu; another
    article is in 30 % of these and in all the others.
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
    """A sentence for each status of which the stores hold more or fewer orders than were answered:
    the auditor, which compares the stores, cannot find an order that is in none of them.
    """
    answered = Counter(PLACED if outcome.ending == PLACED else "rejected" for outcome in outcomes)
    held = Counter(audit.orders)
    return tuple(
        f"customers were answered {answered[status]} {status} orders, "
        f"the stores hold {held[status]}"
        for status in sorted({*answered, *held})
        if answered[status] != held[status]
    )


class NotServed(Exception):
    """A set-up request was refused; the message holds the answer."""


@dataclass(eq=False)
class OrderClient:
    """Sends requests to the base URLs that `addresses` has for their path, in turn.

    `settle_within_s` bounds all attempts of one request, `timeout_s` each.
    """

    addresses: Callable[[str], Sequence[str]]
    _: KW_ONLY
    settle_within_s: float = 90
    timeout_s: float = 15
    _http: aiohttp.ClientSession = field(init=False)
    _turn: Iterator[int] = field(default_factory=count, init=False)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def request(
        self, verb: str, path: str, customer: Customer, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        """Send one attempt to the next replica; the status is 0 without a whole answer.

        A body that is no JSON object, as of a proxy, becomes {}.
        """
        addresses = self.addresses(path)
        url = addresses[next(self._turn) % len(addresses)] + path
        headers = {"authorization": f"Bearer {customer.key}", **options.pop("headers", {})}
        try:
            async with self._http.request(verb, url, headers=headers, **options) as answer:
                return answer.status, _json_object(await answer.read())
        except (aiohttp.ClientError, TimeoutError):
            return NO_ANSWER, {}

    async def menu(self, customer: Customer) -> tuple[str, ...]:
        """The SKUs on the menu, in its order. Raises NotServed."""
        menu = await self._set_up("the menu", "GET", "/v1/menu", customer)
        return tuple(item["sku"] for item in menu["items"])

    async def put_profiles(self, customers: Iterable[Customer]) -> None:
        """Write each customer's profile. Raises NotServed."""
        for customer in customers:
            profile = {
                "name": customer.name,
                "email": f"{customer.name}@example.com",
                "card_token": customer.card_token,
            }
            what = f"the profile of {customer.name}"
            await self._set_up(what, "PUT", "/v1/profile", customer, json=profile)

    async def _set_up(self, what: str, *request: Any, **options: Any) -> dict[str, Any]:
        status, answer = (await self._retried(_refusal, *request, **options))[-1]
        if status not in OK:
            raise NotServed(f"{what} answers {status}: {answer}")
        return answer

    async def run(self, plan: OrderPlan) -> Outcome:
        """Place an order, repeating it under its key until it is settled or the time is over."""
        order = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in plan.lines]}
        request = ("POST", "/v1/orders", plan.customer)
        key = {"idempotency-key": plan.key}
        attempts = await self._retried(_ending, *request, json=order, headers=key)
        statuses = tuple(status for status, _ in attempts)
        return Outcome(plan, _ending(*attempts[-1]) or LOST, statuses)

    async def _retried(
        self, ending: Callable[[int, dict[str, Any]], str | None], *request: Any, **options: Any
    ) -> list[tuple[int, dict[str, Any]]]:
        """All attempts, until `ending` is not None for one or the time is over."""
        until = time.monotonic() + self.settle_within_s
        attempts = [await self.request(*request, **options)]
        while ending(*attempts[-1]) is None and time.monotonic() < until:
            await asyncio.sleep(min(FIRST_PAUSE * 2 ** len(attempts), LONGEST_PAUSE))
            attempts.append(await self.request(*request, **options))
        return attempts


class ClosedLoop:
    """`at_once` concurrent customers that place orders while the `async with` lasts.

    Each pauses for `pause` seconds after an order. When the context ends, orders under way run to
    their end. `on_outcome` is called with each outcome.
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

    async def __aexit__(self, *error: Any) -> None:  # noqa: PYI036  # as the group takes it
        self._open = False
        await self._group.__aexit__(*error)

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


class Unsettled(Data):
    """An order without a correct ending; `statuses` are those of all attempts, 0 for no answer."""

    customer: str
    key: str
    ending: str
    statuses: tuple[int, ...]


class CustomersResult(Data):
    """How the orders of `seconds` ended, counted by ending: `lost` ones stayed open until the time
    was over, `unexpected` ones have an ending that is not correct; the first few of both are
    `unsettled`. `repeated` orders were sent more than once. `statuses` counts all attempts.
    """

    seconds: float
    orders: int
    endings: dict[str, int]
    lost: int
    unexpected: int
    repeated: int
    statuses: dict[int, int]
    unsettled: tuple[Unsettled, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], seconds: float) -> Self:
        """Count the outcomes of the orders that were placed within `seconds`."""
        unsettled = [outcome for outcome in outcomes if not outcome.settled]
        lost = sum(outcome.ending == LOST for outcome in unsettled)
        statuses = Counter(chain.from_iterable(outcome.statuses for outcome in outcomes))
        return cls(
            seconds=seconds,
            orders=len(outcomes),
            endings=count_by_ending(outcomes),
            lost=lost,
            unexpected=len(unsettled) - lost,
            repeated=sum(len(outcome.statuses) > 1 for outcome in outcomes),
            statuses=dict(sorted(statuses.items())),
            unsettled=tuple(
                Unsettled(
                    customer=outcome.plan.customer.name,
                    key=outcome.plan.key,
                    ending=outcome.ending,
                    statuses=outcome.statuses,
                )
                for outcome in unsettled[:LISTED]
            ),
        )

    def sentences(self) -> Iterator[str]:
        endings = ", ".join(f"{number:,} {ending}" for ending, number in self.endings.items())
        yield f"{self.orders:,} orders in {self.seconds:.1f} s: {endings or 'none'}."
        answers = ", ".join(f"{number:,} x {status}" for status, number in self.statuses.items())
        yield f"{self.repeated:,} were sent more than once."
        yield f"Answers by status (0: no answer): {answers}."
        for order in self.unsettled:
            statuses = " ".join(map(str, order.statuses))
            yield f"{order.customer}, key {order.key}: {order.ending} after {statuses}"


def customers(  # noqa: PLR0913  # the options of the command
    url: Annotated[str, typer.Argument(help="The door: http://host:port.")],
    *,
    keys: Annotated[Path, typer.Option(help="JSON: the API keys of customers by name.")],
    seconds: Annotated[float, typer.Option(min=0, help="No order is begun after that.")] = 30,
    at_once: Annotated[int, typer.Option(min=1, help="Orders under way at the same time.")] = 4,
    pause: Annotated[float, typer.Option(min=0, help="Seconds after each order.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of customers and baskets.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, no sentences.")
    ] = False,
) -> None:
    """Place orders, repeating each under its key until it is settled; status 1 if one is not."""
    try:
        Address.parse(url)
    except BadAddress as error:
        raise JobFailed(str(error)) from None
    customers = tuple(
        Customer(name, key, f"tok_visa_{number:04}")
        for number, (name, key) in enumerate(read_keys(keys).items(), start=1)
    )
    if not customers:
        raise JobFailed(f"{keys} holds no API keys")

    async def place_orders() -> CustomersResult:
        chance = random.Random(seed)  # noqa: S311  # repeatable, no secret
        async with OrderClient(lambda _: (url.rstrip("/"),)) as client:
            await client.put_profiles(customers)
            plans = order_plans(chance, customers, await client.menu(customers[0]))
            # With the key of an earlier run, the shop would answer the stored order.
            fresh = (replace(plan, key=str(uuid4())) for plan in plans)
            begin = time.monotonic()
            async with ClosedLoop(client, fresh, at_once=at_once, pause=pause) as loop:
                await asyncio.sleep(seconds)
            return CustomersResult.of(loop.outcomes, time.monotonic() - begin)

    result = asyncio.run(place_orders())
    if as_json:
        typer.echo(result.model_dump_json())
    else:
        for sentence in result.sentences():
            typer.echo(sentence)
    raise typer.Exit(1 if result.unsettled else 0)
