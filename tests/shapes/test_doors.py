"""Do the doors of every shape answer alike, and serve public routes only?"""

import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr

from borough import commands
from borough.capability import Endpoint
from borough.config import Settings
from borough_bill.experiments.drill import hops_of
from borough_bill.load.customers import Customer, OrderClient, OrderPlan, make_customers
from borough_bill.targets.processes import HOST
from borough_bill.targets.shapes import LocalShape, Shape, read_shapes
from borough_shop.app import APP
from unhurried import UNHURRIED

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORY = (
    ("gateway", "orders.place"),
    ("orders", "profiles.get"),
    ("orders", "inventory.reserve"),
    ("orders", "payments.charge"),
    ("orders", "inventory.commit"),
    ("orders", "notifications.deliver"),
)
"""Caller and call, of one placed order."""

ENDPOINTS = tuple(e for contract in APP.contracts.values() for e in contract.endpoints.values())
NO_ID = "_"
"""An illegal id: a known route answers it otherwise than with 404."""


@dataclass(frozen=True)
class Open:
    """A running shape, and a customer with a profile."""

    local: LocalShape
    clients: OrderClient
    ada: Customer


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=tuple(read_shapes()))
async def shop(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Open]:
    """Each shape in turn, as processes on SQLite."""
    (ada,) = make_customers(1)
    shape = read_shapes()[request.param]
    folder = tmp_path_factory.mktemp(shape.name)
    store = f"sqlite:///{shutil.copytree(migrated_sqlite, folder / 'store')}"
    await commands.seed(APP, Settings(store=SecretStr(store)), {"stock": "100"})
    local = LocalShape(shape, folder, store=store, keys={ada.name: ada.key}, settings=UNHURRIED)
    async with local, OrderClient(local.addresses) as clients:
        await clients.put_profiles([ada])
        yield Open(local, clients, ada)


async def test_placed_order_is_found_again(shop: Open) -> None:
    """Menu, profile, order, replay, look-up and list answer alike in every shape."""
    ask, ada = shop.clients.request, shop.ada
    status, menu = await ask("GET", "/v1/menu", ada)
    prices = {item["sku"]: item["price"]["minor"] for item in menu["items"]}
    assert status == 200
    assert (await ask("GET", "/v1/profile", ada))[1]["name"] == ada.name

    order = {"lines": [{"sku": "espresso", "quantity": 2}, {"sku": "croissant", "quantity": 1}]}
    key = {"idempotency-key": "the-journey"}
    status, placed = await ask("POST", "/v1/orders", ada, json=order, headers=key)
    assert (status, placed["status"]) == (201, "placed")
    assert placed["total"]["minor"] == 2 * prices["espresso"] + prices["croissant"]

    assert await ask("POST", "/v1/orders", ada, json=order, headers=key) == (200, placed)
    assert await ask("GET", f"/v1/orders/{placed['order_id']}", ada) == (200, placed)
    assert placed in (await ask("GET", "/v1/orders", ada))[1]["orders"]
    assert (await shop.local.audit()).violations == ()


async def test_order_has_a_hop_for_each_call_between_parts(shop: Open) -> None:
    """The hops read from the metrics are the calls of an order that leave their part."""
    errand = OrderPlan(shop.ada, "the-hops", (("espresso", 1),))
    _, hops = await hops_of(shop.local, shop.clients, errand)
    assert hops == Counter(call for caller, call in STORY if apart(shop.local.shape, caller, call))


async def test_every_process_exposes_its_cpu_and_memory_once(shop: Open) -> None:
    """Whatever it hosts, so that their sum is the CPU time of the shape."""
    for text in await shop.local.expositions():
        lines = text.splitlines()
        for name in ("process_cpu_seconds_total ", "process_resident_memory_bytes "):
            assert sum(line.startswith(name) for line in lines) == 1


async def test_internal_route_is_404_on_the_public_port(shop: Open) -> None:
    """Calls between parts are answered on the internal ports, and 404 at the door."""
    async with aiohttp.ClientSession() as http:
        for process in shop.local.processes:
            capabilities = shop.local.shape.parts[process.part]
            for endpoint in ENDPOINTS:
                if "gateway" in capabilities:
                    outside = await code_of(http, process.ports.public, endpoint)
                    assert outside == (404, "not-found"), f"{endpoint.name} at {process.name}"
                if called_from_elsewhere(shop.local.shape, process.part, endpoint.capability):
                    inside = await code_of(http, process.ports.internal, endpoint)
                    assert inside[0] in {200, 422}, f"{endpoint.name} inside {process.name}"


async def test_public_route_is_404_on_the_internal_port(shop: Open) -> None:
    """The doors are public routes only: an internal port that listens at all knows none of them."""
    async with aiohttp.ClientSession() as http:
        for process in shop.local.processes:
            url = f"http://{HOST}:{process.ports.internal}/v1/menu"
            try:
                async with http.get(url, headers={"x-api-key": shop.ada.key}) as answer:
                    assert answer.status == 404, process.name
            except aiohttp.ClientConnectorError:
                assert not any(
                    called_from_elsewhere(shop.local.shape, process.part, capability)
                    for capability in shop.local.shape.parts[process.part]
                ), process.name


def apart(shape: Shape, caller: str, call: str) -> bool:
    """Whether that call leaves the part it comes from."""
    part = shape.door("/v1/orders") if caller == "gateway" else shape.hosts(caller)[-1]
    return call.partition(".")[0] not in shape.parts[part]


def called_from_elsewhere(shape: Shape, part: str, capability: str) -> bool:
    """Whether another part calls this capability of this part."""
    return capability in shape.parts[part] and any(
        capability in APP.calls[caller]
        for hosted in shape.parts.values()
        if capability not in hosted
        for caller in hosted
    )


async def code_of(http: aiohttp.ClientSession, port: int, endpoint: Endpoint) -> tuple[int, str]:
    """The status and problem code of an empty request to a contract method's path."""
    path = endpoint.path
    for field in endpoint.path_fields:
        path = path.replace(f"{{{field}}}", NO_ID)
    url = f"http://{HOST}:{port}{path}"
    async with http.request(endpoint.verb, url, json={}) as answer:
        problem = await answer.json(content_type=None)
        return answer.status, problem.get("code", "")
