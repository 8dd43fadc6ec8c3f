"""An order, and everything that can befall it once: the exhaustive half of testing the saga.

An ordeal is repeatable, so a failing one is a test case of its own. Random histories of many orders
stand beside this in `tests/properties`; here not one step of one order is left out.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from borough.audit import Violation
from borough.errors import BoroughError
from borough.testing.chaos import CALM, Mishap, Script
from borough.testing.simulation import Shape
from borough_shop.orders.contract import PlaceOrder
from borough_shop.payments.domain import DECLINED_PREFIX
from borough_shop.testing.samples import a_profile, an_article
from borough_shop.testing.town import HORIZON, PATIENCE, Town
from borough_shop.values import Basket

ARTICLES = (an_article("espresso", stock=5), an_article("flat-white", stock=3))
CUSTOMERS = (
    a_profile("ada"),
    a_profile("grace"),
    a_profile("bob").model_copy(update={"card_token": f"{DECLINED_PREFIX}_bob"}),
)

ENDINGS = {
    "placed": PlaceOrder(customer_id="ada", key="a", basket=Basket.of(espresso=2, flat_white=1)),
    "declined": PlaceOrder(customer_id="bob", key="b", basket=Basket.of(espresso=1)),
    "out-of-stock": PlaceOrder(customer_id="ada", key="c", basket=Basket.of(espresso=6)),
    "unknown-sku": PlaceOrder(customer_id="ada", key="d", basket=Basket.of(tea=1)),
    "profile-missing": PlaceOrder(customer_id="eve", key="e", basket=Basket.of(espresso=1)),
}
"""One order for each way an undisturbed order can end."""


@dataclass(frozen=True, slots=True)
class Ordeal:
    """A script, and after how many turns the deadline passes and reconcile overtakes, if at all."""

    script: Script = CALM
    overtaken_after: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ordeal took and what the auditor found after it."""

    violations: tuple[Violation, ...]
    steps: dict[str, int]
    calls: int
    turns: int


@dataclass(frozen=True, slots=True)
class Finding:
    """An ordeal the shop did not survive, with the proof."""

    ordeal: Ordeal
    violations: tuple[Violation, ...]


async def undergo(town: Town, request: PlaceOrder, ordeal: Ordeal) -> Outcome:
    """Order, with the loops of orders going round; recover; deliver what was late; audit."""
    with town.open():
        await town.welcome(ARTICLES, CUSTOMERS)
        placing = asyncio.create_task(_try(town, request))
        turns = 0
        while not placing.done():
            if turns == ordeal.overtaken_after:
                await _overtake(town)
            await asyncio.sleep(0)
            turns += 1
        town.clock.advance(PATIENCE + HORIZON + 1)
        await town.reconcile()
        await town.relay()
        steps = {part: town.steps(part) for part in town.shape}
        calls = town.network.calls
        await town.come_to_rest()
        await town.network.deliver_late()
        await town.come_to_rest()
        return Outcome(await town.audit(), steps, calls, turns)


async def _try(town: Town, request: PlaceOrder) -> None:
    with suppress(BoroughError):
        await town.place(request)


async def _overtake(town: Town) -> None:
    """Two replicas reconcile an order whose deadline has just passed, and a relay goes round."""
    town.clock.advance(PATIENCE + HORIZON + 1)
    await asyncio.gather(town.reconcile(), town.reconcile(), town.relay())


def every_ordeal(shape: Shape, calm: Outcome) -> Iterator[Ordeal]:
    """Each part dies once at each of its steps; each call meets each mishap; reconcile overtakes at
    each turn. `calm` is the undisturbed outcome, which says how many there are.
    """
    for part in shape:
        for step in range(1, calm.steps[part] + 1):
            yield Ordeal(Script(deaths={part: (step,)}))
    for call in range(calm.calls):
        for mishap in Mishap:
            yield Ordeal(Script(mishaps=(Mishap.NONE,) * call + (mishap,)))
    for turn in range(calm.turns):
        yield Ordeal(overtaken_after=turn)


async def find(
    shape: Shape, request: PlaceOrder, build: Callable[[Shape, Script], Town] = Town
) -> list[Finding]:
    """Put an order through every ordeal; answers those that left a violation."""
    calm = await undergo(build(shape, CALM), request, Ordeal())
    findings = [Finding(Ordeal(), calm.violations)]
    for ordeal in every_ordeal(shape, calm):
        outcome = await undergo(build(shape, ordeal.script), request, ordeal)
        findings.append(Finding(ordeal, outcome.violations))
    return [finding for finding in findings if finding.violations]
