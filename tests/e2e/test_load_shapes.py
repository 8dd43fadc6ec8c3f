"""Does the shop sell in every shape, and go from one to another while it sells?"""

from collections.abc import Callable

import pytest

from e2e.cluster import namespace
from e2e.journey import order_journey
from e2e.load import audit, failures, open_loop, served
from e2e.release import CUSTOMERS, Release, Values, customers
from e2e.visitor import FromPod

pytestmark = pytest.mark.usefixtures("one_load")

TOWN, APART = "monolith", "microservices"
BOOKKEEPER = {
    "roles": "checkout", "apis": "checkout", "extract-payments": "app", "microservices": "orders",
}  # fmt: skip  # one glance
"""A part of each shape that has a store, from where the auditor looks."""


def values(shape: str, **more: object) -> Values:
    """Little work for a card: it is orders that are counted."""
    settings = {"pbkdf2_iterations": 1_000}
    return {
        "shape": shape, "customers": {"existingSecret": CUSTOMERS}, "settings": settings, **more,
    }  # fmt: skip  # one glance


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param("roles", marks=pytest.mark.long),
        "apis",
        pytest.param("extract-payments", marks=pytest.mark.long),
        pytest.param("microservices", marks=pytest.mark.long),
    ],
)
def test_the_shop_sells_in_every_shape(shape: str, visitor: tuple[str, str]) -> None:
    """Installed, it takes an order through its door, and its books are in order. The monolith does
    so with each store, and is then uninstalled, in test_uninstall.
    """
    with namespace(f"borough-e2e-{shape}") as space:
        keys = customers(space, "ada", "grace")
        shop = Release("borough", space)
        shop.install(values(shape))
        order_journey(FromPod(*visitor, shop.door), keys["ada"], keys["grace"])
        found = audit(shop, BOOKKEEPER[shape])
        assert (found["violations"], found["orders"]) == ([], {"placed": 1})


@pytest.mark.long
def test_a_change_of_shape_loses_no_order(tell: Callable[[str], None]) -> None:
    """Monolith to microservices and back on the same database, each in two upgrades, under load:
    every order is placed, and every reported order is in the stores.
    """
    with namespace("borough-e2e-change") as space:
        customers(space, "ada", "grace")
        shop = Release("borough", space)
        shop.install(values(TOWN))
        with open_loop(shop, values(TOWN), door="app", rate=4, seconds=75) as load:
            shop.upgrade(values(APART, retiring=TOWN))
            shop.upgrade(values(APART))
            shop.upgrade(values(TOWN, retiring=APART))
            shop.upgrade(values(TOWN))
        longest = load.report["latency_ms"]["longest"]
        tell(f"the longest answer while the shape changed: {longest:.0f} ms")
        assert failures(load.report) == {}, load.report
        found = audit(shop, "app")
        assert (found["violations"], found["orders"]) == ([], {"placed": served(load.report)})
