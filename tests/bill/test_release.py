"""Is a release measured by the metrics of its pods, and only while these stay the same?"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from bill.fakes import FakeCluster
from borough_bill.targets.attribution import NotExposed, ProcessGone
from borough_bill.targets.cluster import Unreachable
from borough_bill.targets.release import Release, ReleaseName, open_releases

NAME = ReleaseName("shops", "borough")
PARTS = ("gateway", "orders", *("payments",) * 2)
KEYS = {"ada": "key-of-ada"}
BOOK = {
    "clean": False,
    "orders": {"placed": 7},
    "violations": [{"kind": "oversold", "subject": "espresso", "detail": "-1 left"}],
}


@dataclass
class Metrics:
    """The metrics of a pod, as its ops port serves them."""

    cpu_s: float = 1.0
    mib: float = 80.0
    started: float = 1.7e9
    calls: int = 0
    price: float = 0.0
    scrapes: int = 0
    silent: bool = False

    async def metrics(self, _: web.Request) -> web.Response:
        """In the text format of Prometheus."""
        self.scrapes += 1
        self.cpu_s += self.price
        if self.silent:
            raise web.HTTPServiceUnavailable
        edge = 'peer="orders",method="place"'
        return web.Response(
            text=f"process_cpu_seconds_total {self.cpu_s}\n"
            f"process_resident_memory_bytes {self.mib * 2**20}\n"
            f"process_start_time_seconds {self.started}\n"
            f"http_client_request_duration_seconds_count{{{edge}}} {self.calls}\n"
            f"http_client_request_duration_seconds_sum{{{edge}}} {self.calls * 0.01}\n"
            f"borough_hop_server_seconds_total{{{edge}}} {self.calls * 0.008}\n"
            f"borough_hop_handler_seconds_total{{{edge}}} {self.calls * 0.006}\n"
        )


async def door(_: web.Request) -> web.Response:
    """The answer of a door to a request without a key."""
    return web.json_response({}, status=401, content_type="application/problem+json")


async def another_server(_: web.Request) -> web.Response:
    """Another server at that address."""
    return web.json_response([])


opened = partial(open_releases, scrapes=2)
"""The cost of a scrape is exact here, so two readings are enough."""


def pod(name: str, part: str, **changes: Any) -> dict[str, Any]:
    """A pod of a part, as the API server lists it."""
    secret = {"secretKeyRef": {"name": "borough-customers", "key": "api-keys"}}
    env = [{"name": "BOROUGH_STORE", "value": "postgresql://..."}] if part != "gateway" else []
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": part}},
        "spec": {
            "nodeName": "borough-1",
            "containers": [
                {"name": "proxy"},
                {
                    "name": part,
                    "env": [{"name": "BOROUGH_API_KEYS", "valueFrom": secret}, *env],
                    "ports": [{"name": "ops", "containerPort": 9090}],
                },
            ],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    } | changes


def node(address: str = "") -> dict[str, Any]:
    """The one machine of the cluster."""
    status = {
        "capacity": {"cpu": "2"},
        "addresses": [{"type": "InternalIP", "address": address}],
        "nodeInfo": {"bootID": "another"},
    }
    return {"metadata": {"name": "borough-1"}, "status": status}


def service(url: str, node_port: int | None = None) -> dict[str, Any]:
    """The Service of a door that answers at this URL."""
    host, port = url.removeprefix("http://").split(":")
    opens = {} if node_port is None else {"nodePort": node_port}
    return {"spec": {"clusterIP": host, "ports": [{"port": int(port), **opens}]}}


def names(pods: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in pods]


@dataclass
class World:
    """A cluster, and the metrics of its pods by name."""

    cluster: FakeCluster
    metrics: Mapping[str, Metrics]
    pods: list[dict[str, Any]]


@pytest.fixture
async def world(serve: Any) -> World:
    """A release of three parts, one of them with two pods; and pods that are no parts."""
    pods = [pod(f"borough-{part}-{number}", part) for number, part in enumerate(PARTS)]
    metrics = {
        name: Metrics(cpu_s=number, mib=80 + number) for number, name in enumerate(names(pods))
    }
    other = pod("borough-postgres-0", "postgres")
    del other["spec"]["containers"][1]["ports"]
    going = pod("borough-orders-old", "orders")
    going["metadata"]["deletionTimestamp"] = "2026-11-23T06:00:00Z"
    pods += [other, going]
    urls = {f"pod/{name}": await serve(each.metrics) for name, each in metrics.items()}
    held = {"data": {"api-keys": b64encode(json.dumps(KEYS).encode()).decode()}}
    objects = {
        "/api/v1/nodes": {"items": [node()]},
        NAME.pods: {"items": pods},
        f"{NAME.path}/services/borough": service(await serve(door)),
        f"{NAME.path}/secrets/borough-customers": held,
    }
    return World(FakeCluster(objects, urls, json.dumps(BOOK)), metrics, pods)


async def must_refuse(world: World, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        async with opened(world.cluster, {"a": NAME}, None, 100):
            pass


@pytest.fixture
async def release(world: World) -> AsyncIterator[Release]:
    """That release, open."""
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        yield found["a"]


async def test_window_is_charged_for_cpu_memory_and_hops_of_its_pods(
    world: World, release: Release
) -> None:
    """CPU and memory by pod, calls over all pods. A database and a terminating pod are no parts,
    and no pod is scraped during the window.
    """
    await release.switch_to(None)
    before = await release.counters()
    scrapes = {name: each.scrapes for name, each in world.metrics.items()}
    for number, each in enumerate(world.metrics.values()):
        each.cpu_s += 0.1 * number
        each.mib += 1
        each.calls += 2
    assert {name: each.scrapes for name, each in world.metrics.items()} == scrapes
    used = await release.settle()
    processes = ("gateway-0", "orders-0", "payments-0", "payments-1")
    assert used == {name: pytest.approx(0.1 * at) for at, name in enumerate(processes)}
    held = await release.memory()
    assert {name: memory.rss_mib for name, memory in held.items()} == {
        name: 81 + at for at, name in enumerate(processes)
    }
    assert {memory.pss_mib for memory in held.values()} == {None}
    hop = (await release.counters()).since(before).hops()["orders.place"]
    assert (hop.calls, hop.total_s, hop.handler_s) == pytest.approx((8, 0.08, 0.048))


async def test_cpu_of_a_scrape_is_subtracted(world: World) -> None:
    """Otherwise a shape would cost more the more pods it has."""
    for each in world.metrics.values():
        each.price = 0.003
    async with opened(world.cluster, {"a": NAME}, KEYS, 100) as (found, site):
        await found["a"].switch_to(None)
        world.metrics["borough-orders-1"].cpu_s += 0.1
        used = await found["a"].settle()
    assert used == pytest.approx(dict.fromkeys(used, 0.0) | {"orders-0": 0.1})
    assert "costs a pod 3.0 to 3.0 ms" in site.notes[2]


async def test_restarted_pod_ends_the_window_by_name(world: World, release: Release) -> None:
    """Its counters were reset."""
    await release.switch_to(None)
    world.metrics["borough-orders-1"].started += 5
    with pytest.raises(ProcessGone, match="shops/borough: pod borough-orders-1 restarted"):
        await release.settle()


async def test_added_or_removed_pod_ends_the_window_by_name(world: World, release: Release) -> None:
    """A deployment with another number of pods is another deployment."""
    await release.switch_to(None)
    world.pods.append(pod("borough-orders-9", "orders"))
    with pytest.raises(ProcessGone, match="pod borough-orders-9 was added or removed"):
        await release.settle()
    del world.pods[1], world.pods[-1]
    with pytest.raises(ProcessGone, match="pod borough-orders-1 was added or removed"):
        await release.switch_to(None)


async def test_pod_without_metrics_ends_the_window_by_name(world: World, release: Release) -> None:
    """Its CPU is unknown, and not 0."""
    await release.switch_to(None)
    world.metrics["borough-gateway-0"].silent = True
    with pytest.raises(ProcessGone, match="shops/borough: pod borough-gateway-0 does not answer"):
        await release.settle()


async def test_customers_are_read_from_the_secret_of_the_pods(world: World) -> None:
    """Unless others are given. The Secret is found by the environment of the pods."""
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        assert found["a"].customers == KEYS
    async with opened(world.cluster, {"a": NAME}, {"bob": "x"}, 100) as (found, _):
        assert found["a"].customers == {"bob": "x"}
    for item in world.pods:
        item["spec"]["containers"][1]["env"].pop(0)
    await must_refuse(world, Unreachable, "the pods in shops have no BOROUGH_API_KEYS")


async def test_auditor_runs_in_a_pod_with_a_store(world: World, release: Release) -> None:
    """The gateway has no store."""
    audit = await release.audit()
    assert audit.orders == {"placed": 7}
    assert audit.violations == ("oversold: espresso: -1 left",)
    world.pods[:] = world.pods[:1]
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        with pytest.raises(Unreachable, match="no pod has BOROUGH_STORE"):
            await found["a"].audit()


async def test_release_that_is_not_ready_is_refused_by_name(world: World) -> None:
    """Otherwise the start of the pods would be measured."""
    world.pods[2]["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}
    await must_refuse(world, Unreachable, "shops/borough: pod borough-payments-2 is not ready")
    world.pods.clear()
    await must_refuse(world, Unreachable, "shops/borough: it has no pod of a part")


async def test_part_without_process_metrics_is_refused(world: World, serve: Any) -> None:
    """Its CPU would count as 0."""
    world.cluster.urls["pod/borough-orders-1"] = await serve(another_server)
    await must_refuse(world, NotExposed, "process_cpu_seconds_total")


async def test_all_doors_are_reached_by_the_most_direct_common_route(
    world: World, serve: Any
) -> None:
    """If one door needs port-forward, all use it. Another server at the address is no door."""
    other, objects = ReleaseName("shops", "second"), world.cluster.objects
    objects[other.pods] = objects[NAME.pods]
    objects[f"{other.path}/services/second-borough"] = service(second := await serve(door))
    given = {"a": NAME, "b": other}

    async def route() -> tuple[str, str]:
        async with opened(world.cluster, given, KEYS, 100) as (found, site):
            return site.placement.rpartition("reached by ")[2], found["b"].doors[""][0]

    assert await route() == ("the Service's own address", second)
    objects[f"{NAME.path}/services/borough"] = service(await serve(another_server))
    world.cluster.urls |= {"service/borough": "http://a", "service/second-borough": "http://b"}
    assert await route() == ("kubectl port-forward", "http://b")
    objects["/api/v1/nodes"] = {"items": [node(address="127.0.0.1")]}
    for name in (NAME, other):
        second = await serve(door)
        hidden = service("http://127.0.0.1:9", int(second.rpartition(":")[2]))
        objects[f"{name.path}/services/{name.door}"] = hidden
    assert await route() == ("a node port", second)


async def test_notes_have_what_is_not_counted_and_the_error_of_the_clock(world: World) -> None:
    """Four uniform rounding errors a pod: sqrt(4 / 12) of 10 ms, times the root of the number of
    pods.
    """
    async with opened(world.cluster, {"a": NAME}, KEYS, 100) as (_, site):
        counted, exact, _ = site.notes
    assert site.placement.startswith("a single node, borough-1: all pods")
    assert "What databases, kubelet, kube-proxy" in counted
    assert "steps of 10 ms" in exact
    assert "a random error of 115 µs a request" in exact
