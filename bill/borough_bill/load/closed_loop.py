"""`borough-bill customers`: people who order at any door, and ask again until the order is settled.

A closed loop, unlike `load`: whoever waits for an order begins no other. So it says nothing of how
fast a door is under a given load; it says whether an order was ever lost, while parts come and go.
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

from borough_bill.load.clients import Clients, Shopping, Url
from borough_bill.load.customers import LOST, Customer, Errand, Outcome, by_word, errands
from borough_bill.load.generator import JobFailed, read_keys
from borough_bill.load.wire import Address, BadAddress

TOLD = 20
"""Orders without a proper end that are told one by one."""


class Unsettled(BaseModel):
    """An order that came to no proper end; `statuses` are the answers, 0 where none came."""

    model_config = ConfigDict(frozen=True)

    customer: str
    key: str
    word: str
    statuses: tuple[int, ...]


class CustomersResult(BaseModel):
    """How the orders of `seconds` ended.

    `words` counts the ends, and of these `lost` the orders whose end could not be learnt,
    `unexpected` those with an end that no order should have. `repeated` orders were sent more than
    once; `statuses` counts all answers, 0 standing for none. `unsettled` are the first few orders
    that were lost or unexpected.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    orders: int
    words: dict[str, int]
    lost: int
    unexpected: int
    repeated: int
    statuses: dict[int, int]
    unsettled: tuple[Unsettled, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], seconds: float) -> Self:
        """All of it from the orders."""
        unsettled = [outcome for outcome in outcomes if not outcome.settled]
        lost = sum(outcome.word == LOST for outcome in unsettled)
        statuses = Counter(chain.from_iterable(outcome.statuses for outcome in outcomes))
        return cls(
            seconds=seconds,
            orders=len(outcomes),
            words=by_word(outcomes),
            lost=lost,
            unexpected=len(unsettled) - lost,
            repeated=sum(len(outcome.statuses) > 1 for outcome in outcomes),
            statuses=dict(sorted(statuses.items())),
            unsettled=tuple(
                Unsettled(
                    customer=outcome.errand.customer.name,
                    key=outcome.errand.key,
                    word=outcome.word,
                    statuses=outcome.statuses,
                )
                for outcome in unsettled[:TOLD]
            ),
        )

    def sentences(self) -> Iterator[str]:
        """The same for people."""
        words = ", ".join(f"{number:,} {word}" for word, number in self.words.items())
        yield f"{self.orders:,} orders in {self.seconds:.1f} s: {words or 'none'}."
        answers = ", ".join(f"{number:,} x {status}" for status, number in self.statuses.items())
        yield f"{self.repeated:,} were sent more than once. Answers (0: none came): {answers}."
        for order in self.unsettled:
            statuses = " ".join(map(str, order.statuses))
            yield f"{order.customer}, key {order.key}: {order.word} after {statuses}"


def customers(  # noqa: PLR0913  # the options of a command
    url: Annotated[str, typer.Argument(help="Where they order: http://host:port.")],
    *,
    keys: Annotated[Path, typer.Option(help="JSON: the API keys of customers by name.")],
    seconds: Annotated[float, typer.Option(min=0, help="Then nobody begins another order.")] = 30,
    at_once: Annotated[int, typer.Option(min=1, help="Orders under way at the same time.")] = 4,
    pause: Annotated[float, typer.Option(min=0, help="Seconds of rest after each order.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of who orders what; keys are fresh.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, no sentences.")
    ] = False,
) -> None:
    """Place orders, repeating each under its key until it is settled; status 1 if one is not."""
    try:
        Address.parse(url)
    except BadAddress as error:
        raise JobFailed(str(error)) from None
    people = tuple(
        Customer(name, key, f"tok_visa_{number:04}")
        for number, (name, key) in enumerate(read_keys(keys).items(), start=1)
    )
    if not people:
        raise JobFailed(f"{keys} holds no API keys")
    result = asyncio.run(_shop(url.rstrip("/"), people, seconds, at_once, pause, seed))
    if as_json:
        typer.echo(result.model_dump_json())
    else:
        for sentence in result.sentences():
            typer.echo(sentence)
    raise typer.Exit(1 if result.unsettled else 0)


async def _shop(  # noqa: PLR0913, PLR0917  # those of the command
    url: str, people: tuple[Customer, ...], seconds: float, at_once: int, pause: float, seed: int
) -> CustomersResult:
    """Raises NotServed."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    async with Clients(Url(url)) as clients:
        await clients.introduce(people)
        wanted = map(_fresh, errands(chance, people, await clients.menu(people[0])))
        begin = time.monotonic()
        async with Shopping(clients, wanted, at_once=at_once, pause=pause) as shopping:
            await asyncio.sleep(seconds)
        return CustomersResult.of(shopping.outcomes, time.monotonic() - begin)


def _fresh(errand: Errand) -> Errand:
    """Under a key nobody used: an order that was placed before would be answered from the books."""
    return replace(errand, key=str(uuid4()))
