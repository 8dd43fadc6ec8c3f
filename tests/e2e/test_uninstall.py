"""What is left of a shop, and of an operator, that is uninstalled?"""

import pytest

from e2e.cluster import get, namespace
from e2e.installed import OBSERVABILITY, SHOP, Platform, install_operator, wait_ready
from e2e.journey import knock, order_journey
from e2e.load import audit
from e2e.release import CUSTOMERS, Release, customers
from e2e.visitor import FromPod

KEPT = {"sqlite": "borough-data", "postgres": "data-borough-postgres-0"}


@pytest.mark.parametrize("store", KEPT)
def test_a_shop_that_is_uninstalled_leaves_its_orders(store: str, visitor: tuple[str, str]) -> None:
    """The monolith sells; then its claim stays, nothing that runs does, and the next installation
    finds the orders in it.
    """
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
        books = audit(shop, "app")
        assert (books["violations"], books["orders"]) == ([], {"placed": 1})

        shop.uninstall()
        assert shop.workloads() == []
        assert KEPT[store] in {
            claim["metadata"]["name"] for claim in get("persistentvolumeclaims", "", place)
        }

        shop.install(values)
        knock(door)
        mine = {"X-API-Key": keys["ada"]}
        found = door.ask("GET", f"/v1/orders/{order_id}", headers=mine)
        assert (found.status, found.body["status"]) == (200, "placed")


def test_an_operator_that_is_uninstalled_leaves_its_scalers(platform: Platform) -> None:
    """And their definition, which went with it otherwise, and they with the definition. The next
    installation of its name takes the definition for its own.
    """

    def scalers() -> list[tuple[str, str]]:
        found = (scaler["metadata"] for scaler in get("servicescalers", "", SHOP))
        return [(metadata["name"], metadata["uid"]) for metadata in found]

    before = scalers()
    assert before
    platform.operator.uninstall()
    assert platform.operator.workloads() == []
    assert scalers() == before
    install_operator(platform.operator, OBSERVABILITY, SHOP)
    wait_ready(platform.operator)
    assert scalers() == before
