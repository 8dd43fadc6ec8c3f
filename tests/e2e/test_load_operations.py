"""Does anybody at the door notice what operators do: scale, upgrade, roll back, replace pods?"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from borough_shop.app import APP
from e2e.cluster import IMAGE, exec_python, kubectl, namespace, wait_until
from e2e.journey import introduce, place
from e2e.load import audit, counted, customers, failures, open_loop, served, turn
from e2e.next import version
from e2e.release import CUSTOMERS, Release, image_values, is_ready
from e2e.release import customers as let_in
from e2e.visitor import FromPod

pytestmark = pytest.mark.usefixtures("one_load")

SPACE = "borough-e2e-operations"
VALUES = {
    "customers": {"existingSecret": CUSTOMERS},
    "defaults": {"replicas": 2, "resources": {"requests": {"cpu": "20m"}}},
    "settings": {"pbkdf2_iterations": 1_000},
}
"""Small enough to stand beside the platform on two cores: it is orders that are counted."""
LATER = "e2e-later"
"""The tag of the later version of payments."""
PARTS = frozenset(APP.calls)
COMPONENT = "app.kubernetes.io/component"
EVERY_S = 10.0
VERDICT = """
import sys, urllib.request
url, order = sys.argv[1:]
request = urllib.request.Request(url + "/payments/voids", method="POST")
request.add_header("Content-Type", "application/json")
request.data = b'{"order_id": "%s"}' % order.encode()
print(urllib.request.urlopen(request, timeout=5).read().decode())
"""


@pytest.fixture(scope="module")
def shop(kubernetes: None) -> Iterator[Release]:
    """Microservices with PostgreSQL, two pods of each part."""
    with namespace(SPACE):
        let_in(SPACE, "ada", "grace")
        release = Release("borough", SPACE)
        with turn():
            release.install(VALUES)
        yield release


@pytest.fixture
def placed_before(shop: Release) -> int:
    """How many orders the books hold already."""
    found = audit(shop, "orders")
    assert found["violations"] == []
    return int(found["orders"].get("placed", 0))


def test_scaling_fails_no_request_and_spreads_the_load(shop: Release) -> None:
    """From 2 pods to 6 and back: 10 s after the new ones are ready, none gets more than 1.5 times
    the mean.

    Counted are 150 requests a pod. Were each pod chosen by chance alone, a pod's share had a
    standard deviation of 11 (the root of 150 * 5/6): 1.5 times the mean is 6.7 of these away, so
    chance alone does not fail this once in 10^9 runs.
    """
    each = dict[str, float]()
    with open_loop(
        shop, VALUES, door="gateway", rate=30, seconds=120, workload="shop", shares=("browse=1",)
    ) as load:
        scale(shop, "inventory", 6)
        time.sleep(10)  # the law says when
        with counted(shop, "inventory") as counts:
            before = counts()

            def enough() -> bool:
                each.update({pod: count - before[pod] for pod, count in counts().items()})
                return sum(each.values()) >= 150 * len(each)

            wait_until("150 requests a pod", enough, within=60)
        scale(shop, "inventory", 2)
    assert failures(load.report) == {}, load.report
    assert len(each) == 6
    assert max(each.values()) <= 1.5 * sum(each.values()) / len(each), each


def test_payments_alone_goes_to_a_later_version_and_back(
    shop: Release, placed_before: int, visitor: tuple[str, str]
) -> None:
    """The later version has a new contract field, a migration and something to see: upgraded to it
    and rolled back under load, no order fails, and no other pod is replaced or restarted.
    """
    version.build(IMAGE, f"{image_values()['repository']}:{LATER}")
    door = FromPod(*visitor, shop.door)
    introduce(door, "key-of-ada")
    others, ordered = identities(shop), list[str]()

    def has_receipt() -> Any:
        ordered.append(order(door))  # the first may still have been charged by the old version
        return verdict(shop, ordered[-1]).get("receipt")

    with open_loop(shop, VALUES, door="gateway", rate=4, seconds=60) as load:
        shop.upgrade({**VALUES, "parts": {"payments": {"image": {"tag": LATER}}}})
        wait_until("a receipt", has_receipt, within=20)
        shop.rollback()
        wait_until("no receipt", lambda: "receipt" not in verdict(shop, ordered[-1]), within=20)
        ordered.append(order(door))
        assert {verdict(shop, one)["outcome"] for one in ordered} == {"captured"}
    assert failures(load.report) == {}, load.report
    assert identities(shop) == others
    found = audit(shop, "orders")
    assert found["violations"] == []
    assert found["orders"] == {"placed": placed_before + served(load.report) + len(ordered)}


@pytest.mark.parametrize("pods", [4, pytest.param(12, marks=pytest.mark.long)])
def test_no_order_is_lost_while_pods_are_replaced(
    shop: Release, placed_before: int, pods: int
) -> None:
    """A random pod is deleted every 10 s, never two of a part at once: every order whose customer
    asks again is placed in the end, and in the books.
    """
    chance = random.Random(pods)
    with customers(shop, VALUES, door="gateway", seconds=(pods + 1) * EVERY_S) as buyers:
        for _ in range(pods):
            began = time.monotonic()
            whole = wait_until("a part that is whole", lambda: sorted(spare_pods(shop)), within=30)
            kubectl("delete", "pod", chance.choice(whole), "--namespace", SPACE, "--wait=false")
            time.sleep(max(0.0, began + EVERY_S - time.monotonic()))  # the pace is the law's
    assert buyers.report["endings"] == {"placed": buyers.report["orders"]}, buyers.report
    found = audit(shop, "orders")
    assert found["violations"] == []
    assert found["orders"] == {"placed": placed_before + buyers.report["orders"]}


def scale(shop: Release, part: str, pods: int) -> None:
    """As a person would, by name; returns when so many are there and ready, and no other."""
    kubectl("scale", shop.deployment(part), "--namespace", SPACE, f"--replicas={pods}")
    wait_until(
        f"{pods} pods of {part}",
        lambda: [is_ready(pod) for pod in shop.pods(part)] == [True] * pods,
        within=90,
    )


def spare_pods(shop: Release) -> list[str]:
    """The pods of parts that are whole: both are ready, and none is on its way out."""
    pods = [pod for pod in shop.pods() if pod["metadata"]["labels"][COMPONENT] in PARTS]
    there = Counter(pod["metadata"]["labels"][COMPONENT] for pod in pods)
    ready = Counter(pod["metadata"]["labels"][COMPONENT] for pod in pods if is_ready(pod))
    whole = {part for part in PARTS if there[part] == ready[part] == 2}
    return [
        pod["metadata"]["name"] for pod in pods if pod["metadata"]["labels"][COMPONENT] in whole
    ]


def identities(shop: Release) -> dict[str, tuple[str, list[int]]]:
    """By name, the id of every pod of the other parts and of the database, and how often its
    containers were restarted.
    """
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            [container["restartCount"] for container in pod["status"]["containerStatuses"]],
        )
        for pod in shop.pods()
        if pod["metadata"]["labels"][COMPONENT] in (PARTS - {"payments"}) | {"postgres"}
    }


def order(door: FromPod) -> str:
    """Place one; its id."""
    answer = place(door, "key-of-ada")
    assert answer.status == 201, answer
    return str(answer.body["order_id"])


def verdict(shop: Release, order_id: str) -> dict[str, Any]:
    """What payments says of an order that was charged, to orders: to ask it to void such a charge
    changes nothing.
    """
    url = f"http://{shop.fullname}-payments:8081"
    said = exec_python(shop.namespace, shop.deployment("orders"), VERDICT, url, order_id)
    return dict(json.loads(said))
