"""Does the chart run another application than the shop, and does a shop that runs become one?"""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from borough_shop.app import APP as SHOP
from e2e.applications import LIBRARY, LOYALTY, build, document
from e2e.cluster import ROOT, Forward, kubectl, namespace, wait_until
from e2e.journey import introduce, place
from e2e.load import audit, failures, open_loop, served
from e2e.queries import questions
from e2e.release import CUSTOMERS, Release, Values, customers, image_values
from e2e.visitor import FromPod
from library.app import TITLES

pytestmark = pytest.mark.usefixtures("one_load")

SPACE, METRICS = "borough-e2e-loyalty", "borough-e2e-loyalty-metrics"
VALUES: Values = {
    "customers": {"existingSecret": CUSTOMERS},
    "settings": {"pbkdf2_iterations": 1_000, "deadline_ms": 8_000},
    "networkPolicy": {"observability": {"namespace": METRICS}},
}
"""Little work for a card, and time for an order: whether one fails is asked, and not how fast two
cores are that start the pods of all parts.
"""
ONLY_PROMETHEUS: Values = {
    "scrape": [{"release": "borough", "namespace": SPACE}],
    "operators": [],
    **{program: {"enabled": False} for program in ("collector", "jaeger", "grafana")},
}
BOARD = ROOT / "dashboards" / "which-part-is-slow.json"
OWNER = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'loyalty'"
AFTER = 3
"""So many orders are placed when all is done."""


@pytest.fixture
def shop() -> Iterator[Release]:
    """Microservices with PostgreSQL."""
    with namespace(SPACE):
        customers(SPACE, "ada", "grace")
        release = Release("borough", SPACE)
        release.install(VALUES)
        yield release


@pytest.fixture
def metrics() -> Iterator[Release]:
    """A Prometheus that asks its parts."""
    with namespace(METRICS):
        release = Release("observability", METRICS, ROOT / "charts" / "observability")
        release.install(ONLY_PROMETHEUS)
        yield release


def test_a_shop_that_runs_gains_a_capability(
    shop: Release, metrics: Release, visitor: tuple[str, str], tell: Callable[[str], None]
) -> None:
    """The upgrade makes loyalty's role, schema, part and policy; no order fails meanwhile, the
    database is not restarted and its Secret stays; then orders earn points, and a board knows it.
    """
    grown = {**VALUES, **document(LOYALTY), "image": image_values(build("loyalty"))}
    door = FromPod(*visitor, shop.door)
    introduce(door, "key-of-ada")
    kept = database(shop)
    assert owner_of_the_schema(shop) == ""

    with open_loop(shop, VALUES, door="gateway", rate=4, seconds=120) as load:
        shop.upgrade(grown)
        metrics.upgrade({**ONLY_PROMETHEUS, **document(LOYALTY)})
    longest = load.report["latency_ms"]["longest"]
    tell(f"the longest answer while the shop gained a capability: {longest:.0f} ms")
    assert failures(load.report) == {}, load.report
    assert database(shop) == kept
    assert owner_of_the_schema(shop) == "loyalty"
    kubectl("get", "networkpolicy", "borough-loyalty", "--namespace", SPACE)

    # Orders of before have no points: its law says so of these, and of none that came later.
    unawarded = orders_without_award(shop)
    assert len(unawarded) < served(load.report)
    before, orders = points(shop), [place(door, "key-of-ada").body for _ in range(AFTER)]
    earned = sum(order["total"]["minor"] // 100 for order in orders)
    assert earned > 0
    wait_until("points of orders", lambda: points(shop) == before + earned, within=20)
    assert orders_without_award(shop) == unawarded
    found = audit(shop, "orders")
    placed = {"placed": served(load.report) + AFTER}
    assert (found["violations"], found["orders"]) == ([], placed)

    with Forward(METRICS, "service/observability-prometheus", 9090) as prometheus:
        wait_until(
            "loyalty on the board", lambda: set(parts_on_the_board(prometheus)) >= {"loyalty"}, 60
        )
        assert set(parts_on_the_board(prometheus)) == {*SHOP.calls, "loyalty"}


def database(shop: Release) -> tuple[str, str]:
    """The id of the database's pod, and its Secret."""
    (pod,) = shop.pods("postgres")
    secret = ("get", "secret", f"{shop.fullname}-postgres", "--namespace", shop.namespace)
    return pod["metadata"]["uid"], kubectl(*secret, "--output", "jsonpath={.data}")


def owner_of_the_schema(shop: Release) -> str:
    """The role that the schema of loyalty belongs to; empty where there is no schema."""
    words = ("psql", "--username=postgres", "--dbname=borough", "--tuples-only", "--no-align")
    pod = f"pod/{shop.fullname}-postgres-0"
    inside = ("exec", "--namespace", shop.namespace, pod, "--")
    return kubectl(*inside, *words, f"--command={OWNER}").strip()


def orders_without_award(shop: Release) -> set[str]:
    """The orders that are placed and have no points, once nothing is under way; no other law of the
    shop or of loyalty is broken.
    """
    found = audit(shop, "orders", LOYALTY)["violations"]
    assert {violation["kind"] for violation in found} <= {"award"}
    return {str(violation["subject"]) for violation in found}


def points(shop: Release) -> int:
    """Ada's, as loyalty tells whom the network lets ask."""
    asker = shop.deployment("orders")
    loyalty = FromPod(shop.namespace, asker, f"http://{shop.fullname}-loyalty:8081")
    return int(loyalty.ask("GET", "/loyalty/ada").body["points"])


def parts_on_the_board(prometheus: Forward) -> list[str]:
    """The parts that one may choose there."""
    values = {"namespace": SPACE, "workload": ".*", "part": ".*"}
    values |= {"__rate_interval": "1m", "__range": "5m", "__interval": "15s"}
    asked = questions(json.loads(BOARD.read_text("utf-8")), values)
    (choice,) = (question for question in asked if question.path.endswith("/part/values"))
    found: list[str] = prometheus.json(choice.target)["data"]
    return found


@pytest.mark.parametrize(("shape", "bookkeeper"), [("monolith", "app"), ("microservices", "loans")])
def test_the_library_lends_in_every_shape(
    shape: str, bookkeeper: str, visitor: tuple[str, str]
) -> None:
    """An application that knows nothing of the shop: its titles are there, a copy is lent through
    its door, and its books are in order, by `helm test` too.
    """
    values = {**document(LIBRARY), "shape": shape, "seed": {"copies": 1}}
    with namespace(f"borough-e2e-library-{shape}") as space:
        library = Release("library", space)
        library.install({**values, "image": image_values(build("library"))})
        door = FromPod(*visitor, library.door)
        (isbn, name), *_ = TITLES.items()

        def title() -> dict[str, object]:
            return dict(door.ask("GET", f"/titles/{isbn}").body)

        wait_until("a title at the door", lambda: title()["name"] == name, within=10)
        first, second = (
            door.ask("PUT", f"/loans/{uuid4()}", body={"isbn": isbn, "member": member})
            for member in ("ada", "grace")
        )
        assert (first.status, first.body["state"]) == (200, "lent"), first
        assert second.status == 409, second
        assert audit(library, bookkeeper, LIBRARY)["violations"] == []
        library.test()
