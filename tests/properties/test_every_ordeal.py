"""One order, each way it can end, through everything that can befall it once."""

import asyncio

import pytest

from borough.testing.chaos import Mishap, Script
from borough.testing.simulation import Shape
from borough_shop.orders.contract import OrderStatus, PlaceOrder
from borough_shop.testing.ordeals import ARTICLES, CUSTOMERS, ENDINGS, Ordeal, find, undergo
from borough_shop.testing.town import EXTRACT_PAYMENTS, MICROSERVICES, MONOLITH, Town

SHAPES = {
    "monolith": MONOLITH,
    "extract-payments": EXTRACT_PAYMENTS,
    "microservices": MICROSERVICES,
}

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@each_shape
@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_undisturbed_order_ends_as_it_should(shape: Shape, ending: str) -> None:
    """The endings the ordeals start from are the five an order can have by itself."""
    town = Town(shape)
    await undergo(town, ENDINGS[ending], Ordeal())
    (record,) = await town.shelves.orders.ledger()
    if ending == "placed":
        assert record.order.status is OrderStatus.PLACED
    else:
        assert record.order.reason is not None
        assert record.order.reason.value in {ending, f"payment-{ending}"}


@each_shape
@pytest.mark.parametrize("request_", ENDINGS.values(), ids=ENDINGS)
async def test_no_single_ordeal_breaks_a_law(shape: Shape, request_: PlaceOrder) -> None:
    """A crash at every step, each mishap at every call, reconcile overtaking at every turn: none
    leaves a violation, with late calls delivered after everything was settled.
    """
    assert await find(shape, request_) == []


@pytest.mark.parametrize("request_", ENDINGS.values(), ids=ENDINGS)
async def test_a_crash_during_recovery_from_a_crash_breaks_no_law(request_: PlaceOrder) -> None:
    """Recovery may die at every step too: the next one finds what this one would have."""
    steps = (await undergo(Town(MONOLITH), request_, Ordeal())).steps["app"]
    for first in range(1, steps + 1):
        for second in range(1, steps + 1):
            script = Script(deaths={"app": (first, second)})
            outcome = await undergo(Town(MONOLITH, script), request_, Ordeal(script))
            assert outcome.violations == (), script


@pytest.mark.parametrize("mishap", [Mishap.LATE, Mishap.UNANSWERED, Mishap.LOST])
async def test_a_mishap_and_a_crash_together_break_no_law(mishap: Mishap) -> None:
    """Orders may die at any step while any of its calls is lost, unanswered or still under way."""
    calm = await undergo(Town(MICROSERVICES), ENDINGS["placed"], Ordeal())
    for call in range(calm.calls):
        for step in range(1, calm.steps["orders"] + 1):
            script = Script(mishaps=(Mishap.NONE,) * call + (mishap,), deaths={"orders": (step,)})
            outcome = await undergo(Town(MICROSERVICES, script), ENDINGS["placed"], Ordeal(script))
            assert outcome.violations == (), script


async def test_a_client_that_hangs_up_at_any_turn_leaves_a_settled_order() -> None:
    """An order that has begun runs to its end, or is reconciled, though nobody waits for it."""
    calm = await undergo(Town(MONOLITH), ENDINGS["placed"], Ordeal())
    for turns in range(calm.turns):
        town = Town(MONOLITH)
        with town.open():
            await town.welcome(ARTICLES, CUSTOMERS)
            placing = asyncio.create_task(town.place(ENDINGS["placed"]))
            for _ in range(turns):
                await asyncio.sleep(0)
            placing.cancel()
            await town.come_to_rest()
            assert await town.audit() == ()
