"""Can the shop be given a seventh capability from outside, and does it hold as the six do?"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from borough import shapes
from borough.audit import Ledgers
from borough.testing import suites
from borough.testing.clock import MORNING
from borough.testing.simulation import Shape, plain_settings
from borough.testing.suites import TRANSPORTS, Ask, Stores, Via, answer
from borough_shop.app import APP as SHOP
from borough_shop.inventory.contract import Inventory
from borough_shop.notifications.contract import Deliver
from borough_shop.orders.contract import Orders, PlaceOrder
from borough_shop.profiles.contract import Profiles
from loyalty import APP, Award, Customer, Loyalty
from shop.cases import CASES, CLEAN, PLACED, PLANTED, books
from shop.journeys import agree, agree_at_once
from shop.samples import a_profile, an_article, an_event, an_order, basket

SHAPES = suites.simulated(APP)
SETTINGS = plain_settings(APP, pbkdf2_iterations=0)
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_search = pytest.mark.parametrize(
    "search", [suites.crashes, suites.network_faults, suites.concurrent_rounds, suites.hangups]
)


async def buying(ask: Ask, stores: Stores) -> Sequence[object]:
    """Ada orders twice; the second time there is not enough."""
    await stores[Inventory.name].receive((an_article("espresso", stock=5),))
    await stores[Profiles.name].upsert(a_profile("ada"), MORNING)
    outcomes = []
    for key, pieces in (("one", 2), ("two", 9)):
        order = PlaceOrder(customer_id="ada", key=key, basket=basket(espresso=pieces))
        placement = await answer(ask(Orders).place(order))
        outcomes.append(getattr(getattr(placement, "order", placement), "status", placement))
    return outcomes


async def counting(ask: Ask, stores: Stores) -> None:
    """An order is worth its points once, however often its event comes."""
    event = an_event(an_order(1))
    await ask(Loyalty).award(Deliver(events=(event,)))
    assert (await ask(Loyalty).points(Customer(customer_id="ada"))).points == 5
    assert (await ask(Loyalty).points(Customer(customer_id="eve"))).points == 0


@each_shape
@each_search
async def test_no_crash_and_no_network_fault_loses_a_point(shape: Shape, search: Any) -> None:
    """Nor an order, by the shop's own laws."""
    assert await search(APP, shape, buying, settings=SETTINGS) == []


async def test_every_shape_loads_and_answers_the_same() -> None:
    """One order is placed and the other rejected."""
    assert await suites.shapes(APP, buying, settings=SETTINGS) == []


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
async def test_what_is_marked_idempotent_is(via: Via, at_once: bool) -> None:  # noqa: FBT001
    """The cases of the shop hold beside it, and one of its own sends what it adds."""
    allowed = agree_at_once if at_once else agree
    cases = [*CASES, counting]
    await suites.check_contracts(APP, cases, via, at_once=at_once, agree=allowed, settings=SETTINGS)


async def test_sqlite_keeps_the_rows_of_memory(tmp_path: Path) -> None:
    """Row for row."""
    found = await suites.stores(APP, buying, f"sqlite:///{tmp_path}", settings=SETTINGS)
    assert found == {}


async def test_postgresql_keeps_the_rows_of_memory(empty_postgresql_url: str) -> None:
    """Row for row."""
    assert await suites.stores(APP, buying, empty_postgresql_url, settings=SETTINGS) == {}


def test_each_planted_breach_of_a_law_is_found() -> None:
    """Those of the shop, and a placed order without its points."""

    def awarded(of_the_shop: Ledgers, *awards: Award) -> Ledgers:
        return replace(of_the_shop, of={**of_the_shop.of, Loyalty.name: awards})

    award = Award(order_id=PLACED, customer_id="ada", points=5)
    planted = [(awarded(found, award), kinds) for found, kinds in PLANTED]
    planted.append((awarded(books(CLEAN)), {"award"}))
    suites.check_laws(APP, awarded(books(CLEAN), award), planted)


async def test_the_shop_knows_nothing_of_it() -> None:
    """Its own application has six capabilities, and its events go to one consumer."""
    assert set(APP.contracts) - set(SHOP.contracts) == {Loyalty.name}
    assert APP.calls[Orders.name] == SHOP.calls[Orders.name] | {Loyalty.name}


def test_every_shape_hosts_it() -> None:
    """Its shapes are those of the shop, and it."""
    known = shapes.load(APP.calls, APP.shapes)
    assert known
    for shape in known.values():
        assert Loyalty.name in {c for hosted in shape.parts.values() for c in hosted}
