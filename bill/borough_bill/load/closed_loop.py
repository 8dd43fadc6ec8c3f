"""`borough-bill customers`: a closed loop of orders, each repeated until it is settled.

Unlike `load`, a customer begins the next order only when the last one has ended. So the result says
nothing about latency under a given load. It says whether an order was lost while parts were killed,
scaled or replaced.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Self
from uuid import uuid4

import typer
from pydantic import BaseModel, ConfigDict

from borough_bill.load.customers import (
    LOST,
    Customer,
    OrderPlan,
    Outcome,
    count_by_ending,
    order_plans,
)
from borough_bill.load.generator import JobFailed, read_keys
from borough_bill.load.order_client import ClosedLoop, OrderClient, Url
from borough_bill.load.wire import Address, BadAddress

LISTED = 20
"""Orders without a correct ending that are listed one by one."""


class Unsettled(BaseModel):
    """An order without a correct ending; `statuses` are those of all attempts, 0 for no answer."""

    model_config = ConfigDict(frozen=True)

    customer: str
    key: str
    ending: str
    statuses: tuple[int, ...]


class CustomersResult(BaseModel):
    """How the orders of `seconds` ended.

    `endings` counts the orders by ending. Of these, `lost` counts the orders that stayed open until
    the time was over, and `unexpected` those with an ending that is not correct. `repeated` orders
    were sent more than once. `statuses` counts all attempts by status, 0 for no answer. `unsettled`
    are the first few orders that were lost or unexpected.
    """

    model_config = ConfigDict(frozen=True)

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
        """The result as sentences."""
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
    result = asyncio.run(_place_orders(url.rstrip("/"), customers, seconds, at_once, pause, seed))
    if as_json:
        typer.echo(result.model_dump_json())
    else:
        for sentence in result.sentences():
            typer.echo(sentence)
    raise typer.Exit(1 if result.unsettled else 0)


async def _place_orders(  # noqa: PLR0913, PLR0917  # the same options
    url: str, customers: tuple[Customer, ...], seconds: float, at_once: int, pause: float, seed: int
) -> CustomersResult:
    """Raises NotServed."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, no secret
    async with OrderClient(Url(url)) as client:
        await client.put_profiles(customers)
        menu = await client.menu(customers[0])
        plans = map(_with_fresh_key, order_plans(chance, customers, menu))
        begin = time.monotonic()
        async with ClosedLoop(client, plans, at_once=at_once, pause=pause) as loop:
            await asyncio.sleep(seconds)
        return CustomersResult.of(loop.outcomes, time.monotonic() - begin)


def _with_fresh_key(plan: OrderPlan) -> OrderPlan:
    """The order under an unused key: with a used one, the shop would answer the stored order."""
    return replace(plan, key=str(uuid4()))
