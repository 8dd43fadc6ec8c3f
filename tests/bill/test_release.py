"""Is a release of the chart measured by what its pods tell, and only while they are the same?"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from borough_bill.targets.attribution import NotExposed, ProcessGone
from borough_bill.targets.cluster import Unreachable
from borough_bill.targets.release import Release, ReleaseName
from borough_bill.targets.releases import opened as opened_as_shipped
from borough_bill.testing import Listed

NAME = ReleaseName("shops", "borough")
PARTS = ("gateway", "orders", *("payments",) * 2)
KEYS = {"ada": "key-of-ada"}
BOOK = {
    "clean": False,
    "orders": {"placed": 7},
    "violations": [{"kind": "oversold", "subject": "espresso", "detail": "-1 left"}],
}


@dataclass
class Told:
    """A pod as its ops port shows it, and nothing else of it."""

    cpu_s: float = 1.0
    mib: float = 80.0
    started: float = 1.7e9
    calls: int = 0
    price: float = 0.0
    asked: int = 0
    silent: bool = False

    async def metrics(self, _: web.Request) -> web.Response:
        """In the text format of Prometheus."""
        self.asked += 1
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
    """What a door of ours says to somebody without a key."""
    return web.json_response({}, status=401, content_type="application/problem+json")


async def stranger(_: web.Request) -> web.Response:
    """Somebody else who happens to listen there."""
    return web.json_response([])


opened = partial(opened_as_shipped, readings=2)
"""What is exact here needs no fifty readings to be weighed."""


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
    """A cluster, and what its pods tell, by the name of the pod."""

    cluster: Listed
    told: Mapping[str, Told]
    pods: list[dict[str, Any]]


@pytest.fixture
async def world(serve: Any) -> World:
    """A release of three parts, one of them with two pods; and pods that are no parts."""
    pods = [pod(f"borough-{part}-{number}", part) for number, part in enumerate(PARTS)]
    told = {name: Told(cpu_s=number, mib=80 + number) for number, name in enumerate(names(pods))}
    other = pod("borough-postgres-0", "postgres")
    del other["spec"]["containers"][1]["ports"]
    going = pod("borough-orders-old", "orders")
    going["metadata"]["deletionTimestamp"] = "2026-11-23T06:00:00Z"
    pods += [other, going]
    urls = {f"pod/{name}": await serve(each.metrics) for name, each in told.items()}
    held = {"data": {"api-keys": b64encode(json.dumps(KEYS).encode()).decode()}}
    objects = {
        "/api/v1/nodes": {"items": [node()]},
        NAME.pods: {"items": pods},
        f"{NAME.path}/services/borough": service(await serve(door)),
        f"{NAME.path}/secrets/borough-customers": held,
    }
    return World(Listed(objects, urls, json.dumps(BOOK)), told, pods)


async def must_refuse(world: World, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        async with opened(world.cluster, {"a": NAME}, None, 100):
            pass


@pytest.fixture
async def release(world: World) -> AsyncIterator[Release]:
    """That release, open."""
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        yield found["a"]


async def test_a_window_costs_what_its_pods_used_meanwhile(world: World, release: Release) -> None:
    """CPU and memory by pod, calls over all of them; a database and a pod that goes are no parts,
    and no pod is asked while it is measured.
    """
    await release.arm(None)
    before = await release.counters()
    asked = {name: told.asked for name, told in world.told.items()}
    for number, told in enumerate(world.told.values()):
        told.cpu_s += 0.1 * number
        told.mib += 1
        told.calls += 2
    assert {name: told.asked for name, told in world.told.items()} == asked
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


async def test_what_a_reading_costs_a_pod_is_taken_off(world: World) -> None:
    """Else a shape would be the dearer the more pods it has to be asked."""
    for told in world.told.values():
        told.price = 0.003
    async with opened(world.cluster, {"a": NAME}, KEYS, 100) as (found, site):
        await found["a"].arm(None)
        world.told["borough-orders-1"].cpu_s += 0.1
        used = await found["a"].settle()
    assert used == pytest.approx(dict.fromkeys(used, 0.0) | {"orders-0": 0.1})
    assert "costs a pod 3.0 to 3.0 ms" in site.notes[2]


async def test_a_pod_that_started_again_is_named(world: World, release: Release) -> None:
    """Its counters began anew, and what it used before is lost."""
    await release.arm(None)
    world.told["borough-orders-1"].started += 5
    with pytest.raises(ProcessGone, match="shops/borough: pod borough-orders-1 started again"):
        await release.settle()


async def test_a_pod_that_came_or_went_is_named(world: World, release: Release) -> None:
    """Another number of pods is another deployment, and a new pod may have taken a part's work."""
    await release.arm(None)
    world.pods.append(pod("borough-orders-9", "orders"))
    with pytest.raises(ProcessGone, match="pod borough-orders-9 came or went"):
        await release.settle()
    del world.pods[1], world.pods[-1]
    with pytest.raises(ProcessGone, match="pod borough-orders-1 came or went"):
        await release.arm(None)


async def test_a_pod_that_does_not_tell_is_named(world: World, release: Release) -> None:
    """What nobody can read is not taken for nothing."""
    await release.arm(None)
    world.told["borough-gateway-0"].silent = True
    with pytest.raises(ProcessGone, match="shops/borough: pod borough-gateway-0 does not tell"):
        await release.settle()


async def test_customers_are_those_of_the_release_unless_others_are_named(world: World) -> None:
    """The Secret that the pods are given is found by what they are given, whatever its name."""
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        assert found["a"].customers == KEYS
    async with opened(world.cluster, {"a": NAME}, {"bob": "x"}, 100) as (found, _):
        assert found["a"].customers == {"bob": "x"}
    for item in world.pods:
        item["spec"]["containers"][1]["env"].pop(0)
    await must_refuse(world, Unreachable, "no Secret gives the pods in shops their BOROUGH_API")


async def test_the_auditor_is_asked_where_a_store_is(world: World, release: Release) -> None:
    """The gateway has none, and no way to one."""
    audit = await release.audit()
    assert audit.orders == {"placed": 7}
    assert audit.violations == ("oversold: espresso: -1 left",)
    world.pods[:] = world.pods[:1]
    async with opened(world.cluster, {"a": NAME}, None, 100) as (found, _):
        with pytest.raises(Unreachable, match="no pod is given BOROUGH_STORE"):
            await found["a"].audit()


async def test_a_release_that_does_not_stand_yet_is_named(world: World) -> None:
    """Who measures while pods start measures their start."""
    world.pods[2]["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}
    await must_refuse(world, Unreachable, "shops/borough: pod borough-payments-2 is not ready")
    world.pods.clear()
    await must_refuse(world, Unreachable, "shops/borough: there is no pod")


async def test_a_part_that_tells_nothing_of_its_process_is_refused(
    world: World, serve: Any
) -> None:
    """CPU of nobody would be billed as nothing."""
    world.cluster.urls["pod/borough-orders-1"] = await serve(stranger)
    await must_refuse(world, NotExposed, "process_cpu_seconds_total")


async def test_all_doors_are_reached_by_the_most_direct_way_that_leads_to_each(
    world: World, serve: Any
) -> None:
    """Where one needs a detour all take it, and a stranger at the same address is no door."""
    other, objects = ReleaseName("shops", "town"), world.cluster.objects
    objects[other.pods] = objects[NAME.pods]
    objects[f"{other.path}/services/town-borough"] = service(second := await serve(door))
    given = {"a": NAME, "b": other}

    async def way() -> tuple[str, str]:
        async with opened(world.cluster, given, KEYS, 100) as (found, site):
            return site.placement.rpartition("reached by ")[2], found["b"].doors[""][0]

    assert await way() == ("the Service's own address", second)
    objects[f"{NAME.path}/services/borough"] = service(await serve(stranger))
    world.cluster.urls |= {"service/borough": "http://a", "service/town-borough": "http://b"}
    assert await way() == ("kubectl port-forward", "http://b")
    objects["/api/v1/nodes"] = {"items": [node(address="127.0.0.1")]}
    for name in (NAME, other):
        second = await serve(door)
        hidden = service("http://127.0.0.1:9", int(second.rpartition(":")[2]))
        objects[f"{name.path}/services/{name.door}"] = hidden
    assert await way() == ("a node port", second)


async def test_the_report_says_what_is_not_counted_and_how_exact_a_clock_is(world: World) -> None:
    """Four cut-off ends of a uniform error a pod: sqrt(4 / 12) of 10 ms, times the root of pods."""
    async with opened(world.cluster, {"a": NAME}, KEYS, 100) as (_, site):
        counted, exact, _ = site.notes
    assert site.placement.startswith("a single node, borough-1: all pods")
    assert "What databases, kubelet, kube-proxy" in counted
    assert "steps of 10 ms" in exact
    assert "off by 115 µs a request" in exact
