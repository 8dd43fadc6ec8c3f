"""One order, for each of its outcomes, under every single disturbance.

The suites find each of the mistakes that are planted in a shop; without these, to find nothing
would prove nothing.
"""

from collections.abc import Mapping

import pytest

from borough.app import App
from borough.testing import suites
from borough.testing.chaos import NetworkFault, Script
from borough.testing.simulation import Shape
from borough.testing.suites import Disturbance, Finding, disturbed
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
    """What a crash at every step, each fault at every call, and rounds of every loop at every
    turn bring to light, with late calls delivered after everything was settled.
    """
    searches = (suites.crashes, suites.network_faults, suites.concurrent_rounds)
    journey = ordering(request)
    return [f for search in searches for f in await search(app, shape, journey, settings=SETTINGS)]


@each_shape
@pytest.mark.parametrize("ending", ENDINGS)
async def test_undisturbed_order_ends_as_expected(shape: Shape, ending: str) -> None:
    """The endings the disturbances start from are the five an order can have by itself."""
    outcome = await disturbed(APP, shape, ordering(ENDINGS[ending]), settings=SETTINGS)
    (answered,) = outcome.answers
    assert answered == (OrderStatus.PLACED if ending == "placed" else ending)
    assert outcome.violations == ()


@each_shape
@each_ending
async def test_single_disturbance_breaks_no_law(shape: Shape, request_: PlaceOrder) -> None:
    """A crash at every step, each fault at every call, rounds of every loop at every turn."""
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
    ((part, steps),) = (await disturbed(APP, MONOLITH, journey, settings=SETTINGS)).steps.items()
    for first in range(1, steps + 1):
        for second in range(1, steps + 1):
            disturbance = Disturbance(Script(crashes={part: (first, second)}))
            outcome = await disturbed(APP, MONOLITH, journey, disturbance, settings=SETTINGS)
            assert outcome.violations == (), disturbance


@pytest.mark.parametrize("fault", [NetworkFault.LATE, NetworkFault.UNANSWERED, NetworkFault.LOST])
async def test_network_fault_with_a_crash_breaks_no_law(fault: NetworkFault) -> None:
    """Orders may die at any step while any of its calls is lost, unanswered or still under way."""
    journey = ordering(ENDINGS["placed"])
    calm = await disturbed(APP, MICROSERVICES, journey, settings=SETTINGS)
    for call in range(calm.calls):
        for step in range(1, calm.steps["orders"] + 1):
            lost = (NetworkFault.NONE,) * call + (fault,)
            disturbance = Disturbance(Script(network_faults=lost, crashes={"orders": (step,)}))
            outcome = await disturbed(APP, MICROSERVICES, journey, disturbance, settings=SETTINGS)
            assert outcome.violations == (), disturbance


async def test_order_of_a_client_that_hangs_up_is_settled() -> None:
    """An order that has begun runs to its end, or is reconciled, although its caller is gone."""
    journey = ordering(ENDINGS["placed"])
    assert await suites.hangups(APP, MONOLITH, journey, settings=SETTINGS) == []
