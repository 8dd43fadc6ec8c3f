"""Can the shop be given a seventh capability from outside, and does it hold as the six do?"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from borough import shapes
from borough.testing import suites
from borough.testing.clock import MORNING
from borough.testing.simulation import Shape, microservices, monolith
from borough.testing.suites import Ask, answer
from borough_shop.app import APP as SHOP
from borough_shop.orders.contract import Orders, PlaceOrder
from borough_shop.testing.samples import a_profile, an_article
from borough_shop.values import Basket
from loyalty import APP, Loyalty

SHAPES: Mapping[str, Shape] = {"monolith": monolith(APP), "microservices": microservices(APP)}
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


class Buying:
    """Ada orders twice; the second time there is not enough."""

    async def prepare(self, stores: Mapping[str, Any]) -> None:
        """Five espressos, and Ada."""
        await stores["inventory"].receive((an_article("espresso", stock=5),))
        ada = a_profile("ada")
        await stores["profiles"].upsert(ada, MORNING)

    async def travel(self, ask: Ask) -> Sequence[object]:
        """What became of each order."""
        outcomes = []
        for key, pieces in (("one", 2), ("two", 9)):
            order = PlaceOrder(customer_id="ada", key=key, basket=Basket.of(espresso=pieces))
            placement = await answer(ask(Orders).place(order))
            outcomes.append(getattr(getattr(placement, "order", placement), "status", placement))
        return outcomes


@each_shape
async def test_no_crash_and_no_mishap_loses_a_point(shape: Shape) -> None:
    """Nor an order, of which the shop's own laws tell."""
    assert await suites.crashes(APP, shape, Buying()) == []
    assert await suites.mishaps(APP, shape, Buying()) == []


async def test_the_shop_knows_nothing_of_it() -> None:
    """Its own application has six capabilities, and its events go to one consumer."""
    assert set(APP.contracts) - set(SHOP.contracts) == {Loyalty.name}
    assert APP.calls["orders"] == SHOP.calls["orders"] | {Loyalty.name}


def test_every_shape_hosts_it() -> None:
    """Its shapes are those of the shop, and it."""
    known = shapes.load(APP.calls, APP.shapes)
    assert known
    for shape in known.values():
        assert Loyalty.name in {c for hosted in shape.parts.values() for c in hosted}
