"""Can a customer order, from inside the cluster and from outside of it?

Short because the steps of an order stand in `e2e.journey`, which other tests take too.
"""

import pytest

from e2e.cluster import Forward
from e2e.installed import Journey, Platform
from e2e.journey import order_journey
from e2e.visitor import ByCurl


def test_a_pod_elsewhere_in_the_cluster_can_order(journey: Journey) -> None:
    """The door is open to every pod in the cluster, and the order journey holds there."""
    assert journey.order_id


def test_whoever_forwards_the_door_can_order_by_curl(platform: Platform) -> None:
    """The README's way in: kubectl port-forward, then curl."""
    shop = platform.shop
    with Forward(shop.namespace, f"service/{shop.fullname}", 80) as way:
        assert order_journey(ByCurl(way.url), platform.keys["ada"], platform.keys["grace"])


@pytest.mark.parametrize("chart", ["shop", "operator"])
def test_helm_test_finds_it_in_order(platform: Platform, chart: str) -> None:
    """Of the shop, an order through the door and the auditor; of the operator, that it is ready:
    what a user asks for after an installation.
    """
    said = {"shop": platform.shop, "operator": platform.operator}[chart].test()
    assert "Succeeded" in said
    assert "Failed" not in said
