"""What is left of a shop that is uninstalled?"""

import pytest

from e2e.cluster import get, namespace
from e2e.journey import knock, order_journey
from e2e.release import CUSTOMERS, Release, customers
from e2e.visitor import FromPod

KEPT = {"sqlite": "borough-data", "postgres": "data-borough-postgres-0"}


@pytest.mark.parametrize("store", KEPT)
def test_a_shop_that_is_uninstalled_leaves_its_orders(store: str, visitor: tuple[str, str]) -> None:
    """Its claim stays, nothing that runs does; the next installation finds the orders in it."""
    with namespace(f"borough-e2e-uninstall-{store}") as place:
        keys = customers(place, "ada", "grace")
        shop = Release("borough", place)
        door = FromPod(*visitor, shop.door)
        values = {
            "shape": "monolith",
            "store": {"kind": store},
            "customers": {"existingSecret": CUSTOMERS},
        }
        shop.install(values)
        order_id = order_journey(door, keys["ada"], keys["grace"])

        shop.uninstall()
        assert shop.workloads() == []
        assert KEPT[store] in {claim["metadata"]["name"] for claim in get("pvc", "", place)}

        shop.install(values)
        knock(door)
        mine = {"X-API-Key": keys["ada"]}
        found = door.ask("GET", f"/v1/orders/{order_id}", headers=mine)
        assert (found.status, found.body["status"]) == (200, "placed")
