"""One order, for each of its outcomes, under every single disturbance.

The suites find each of the mistakes that are planted in a shop; without these, to find nothing
would prove nothing.
"""

from collections.abc import Mapping

import pytest

from borough.app import App
from borough.testing import suites
from borough.testing.chaos import Mishap, Script
from borough.testing.simulation import Shape
from borough.testing.suites import Finding, Ordeal, undergo
from borough_shop.app import APP
from borough_shop.orders.contract import OrderStatus, PlaceOrder
from shop.journeys import ENDINGS, ordering
from shop.mistakes import MISTAKES, Mistake
from shop.simulation import EXTRACT_PAYMENTS, MICROSERVICES, MONOLITH, SETTINGS

SHAPES: Mapping[str, Shape] = {
    " beside ".join(shape): shape for shape in (MONOLITH, EXTRACT_PAYMENTS, MICROSERVICES)
}

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_ending = pytest.mark.parametrize("request_", ENDINGS.values(), ids=ENDINGS)


async def found(app: App, shape: Shape, request: PlaceOrder) -> list[Finding]:
    """What a crash at every step, each mishap at every call, and reconcile overtaking at every
    turn bring to light, with late calls delivered after everything was settled.
    """
    searches = (suites.crashes, suites.mishaps, suites.overtakings)
    journey = ordering(request)
    return [f for search in searches for f in await search(app, shape, journey, settings=SETTINGS)]


@each_shape
@pytest.mark.parametrize("ending", ENDINGS)
async def test_undisturbed_order_ends_as_expected(shape: Shape, ending: str) -> None:
    """The endings the ordeals start from are the five an order can have by itself."""
    outcome = await undergo(APP, shape, ordering(ENDINGS[ending]), settings=SETTINGS)
    (answered,) = outcome.answers
    assert answered == (OrderStatus.PLACED if ending == "placed" else ending)
    assert outcome.violations == ()


@each_shape
@each_ending
async def test_single_disturbance_breaks_no_law(shape: Shape, request_: PlaceOrder) -> None:
    """A crash at every step, each mishap at every call, reconcile overtaking at every turn."""
    assert await found(APP, shape, request_) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_search_finds_each_planted_mistake(mistake: Mistake) -> None:
    """What passes for the shop as it is fails for the shop with this one mistake in it."""
    findings = await found(mistake.app, MICROSERVICES, ENDINGS[mistake.spoils])
    assert mistake.kind in {violation.kind for f in findings for violation in f.violations}


@each_ending
async def test_crash_during_recovery_from_a_crash_breaks_no_law(request_: PlaceOrder) -> None:
    """Recovery may crash at every step too: the next one completes it."""
    journey = ordering(request_)
    ((part, steps),) = (await undergo(APP, MONOLITH, journey, settings=SETTINGS)).steps.items()
    for first in range(1, steps + 1):
        for second in range(1, steps + 1):
            ordeal = Ordeal(Script(deaths={part: (first, second)}))
            outcome = await undergo(APP, MONOLITH, journey, ordeal, settings=SETTINGS)
            assert outcome.violations == (), ordeal


@pytest.mark.parametrize("mishap", [Mishap.LATE, Mishap.UNANSWERED, Mishap.LOST])
async def test_mishap_with_a_crash_breaks_no_law(mishap: Mishap) -> None:
    """Orders may die at any step while any of its calls is lost, unanswered or still under way."""
    journey = ordering(ENDINGS["placed"])
    calm = await undergo(APP, MICROSERVICES, journey, settings=SETTINGS)
    for call in range(calm.calls):
        for step in range(1, calm.steps["orders"] + 1):
            lost = (Mishap.NONE,) * call + (mishap,)
            ordeal = Ordeal(Script(mishaps=lost, deaths={"orders": (step,)}))
            outcome = await undergo(APP, MICROSERVICES, journey, ordeal, settings=SETTINGS)
            assert outcome.violations == (), ordeal


async def test_order_of_a_client_that_hangs_up_is_settled() -> None:
    """An order that has begun runs to its end, or is reconciled, although its caller is gone."""
    journey = ordering(ENDINGS["placed"])
    assert await suites.hangups(APP, MONOLITH, journey, settings=SETTINGS) == []
