"""The releases of one comparison: in one cluster, and reached by the same kind of route.

A port-forward costs each request a detour through the API server, a Service's own address does not.
So all are reached by the most direct route that works for each: otherwise the detour would count as
a difference.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from borough_bill.targets.attribution import TICK_S
from borough_bill.targets.cluster import Cluster, Unreachable
from borough_bill.targets.nodes import Node, Site, nodes_of, placement
from borough_bill.targets.pods import customers, pods
from borough_bill.targets.release import SCRAPES, Release, ReleaseName

ADDRESS, NODE_PORT, FORWARD = "the Service's own address", "a node port", "kubectl port-forward"
PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)
"""For the answer of a door: a packet filter may drop requests without one."""
PROBED = "/v1/orders"
REFUSED, PROBLEM = 401, "application/problem+json"
"""A door's answer there to a request without a key."""
SOURCES = {
    "CPU": "each pod's own CPU clock, before the warm-up and after the last answer",
    "memory": "each pod's process_resident_memory_bytes, after the window",
}


@asynccontextmanager
async def open_releases(
    cluster: Cluster,
    names: Mapping[str, ReleaseName],
    keys: Mapping[str, str] | None,
    requests: float,
    *,
    scrapes: int = SCRAPES,
) -> AsyncIterator[tuple[dict[str, Release], Site]]:
    """The releases, with their doors, while the context lasts; and where they run, for the report.

    Without `keys`, each has the customers of its own Secret. `requests` are those of a window. The
    cost of a scrape is measured by `scrapes`.

    Raises NotExposed, ProcessGone, Unreachable.
    """
    async with AsyncExitStack() as stack:
        nodes = nodes_of(await cluster.get("/api/v1/nodes"))
        route, urls = await _most_direct(stack, cluster, names, nodes)
        found = {
            at: await _release(stack, cluster, name, urls[at], keys) for at, name in names.items()
        }
        for release in found.values():
            await release.measure_scrape_cost(scrapes)
        where = placement({at: release.pods for at, release in found.items()}, nodes)
        notes = tuple(_notes(found, route, requests))
        yield found, Site(f"{where}; doors are reached by {route}", SOURCES, notes)


async def _release(
    stack: AsyncExitStack,
    cluster: Cluster,
    name: ReleaseName,
    door: str,
    keys: Mapping[str, str] | None,
) -> Release:
    """The running release. Raises Unreachable if it has no pod, or one that is not ready."""
    running = pods(await cluster.get(name.pods))
    if not running:
        raise Unreachable(f"{name.url}: it has no pod of a part")
    if unready := [pod.name for pod in running if not pod.ready]:
        raise Unreachable(f"{name.url}: pod {unready[0]} is not ready")
    ops_urls = {
        pod.process: await stack.enter_async_context(
            cluster.forwarded(name.namespace, f"pod/{pod.name}", pod.port)
        )
        for pod in running
    }
    if keys is None:
        keys = await customers(cluster, name.namespace, running)
    return Release(cluster, name, running, ops_urls=ops_urls, door=door, customers=keys)


async def _most_direct(
    stack: AsyncExitStack, cluster: Cluster, names: Mapping[str, ReleaseName], nodes: Sequence[Node]
) -> tuple[str, dict[str, str]]:
    """The most direct route that works for all doors, and their URLs."""
    services = {
        at: await cluster.get(f"{name.path}/services/{name.door}") for at, name in names.items()
    }
    known = {at: dict(_direct(service["spec"], nodes)) for at, service in services.items()}
    async with aiohttp.ClientSession(timeout=PROBE_TIMEOUT) as http:
        for route in (ADDRESS, NODE_PORT):
            urls = {at: direct[route] for at, direct in known.items() if route in direct}
            if len(urls) == len(names) and all(
                await asyncio.gather(*(_is_door(http, url) for url in urls.values()))
            ):
                return route, urls
    urls = {
        at: await stack.enter_async_context(
            cluster.forwarded(
                name.namespace, f"service/{name.door}", services[at]["spec"]["ports"][0]["port"]
            )
        )
        for at, name in names.items()
    }
    return FORWARD, urls


def _direct(spec: Mapping[str, Any], nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """The routes without kubectl, and the door's URL by each."""
    port = spec["ports"][0]
    yield ADDRESS, _url(spec["clusterIP"], port["port"])
    if "nodePort" in port:
        yield NODE_PORT, _url(nodes[0].addresses[0], port["nodePort"])


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _is_door(http: aiohttp.ClientSession, url: str) -> bool:
    """Whether a door of the chart answers, and not another server with the same address."""
    try:
        async with http.get(url + PROBED) as answer:
            return (answer.status, answer.content_type) == (REFUSED, PROBLEM)
    except (aiohttp.ClientError, TimeoutError):
        return False


def _notes(found: Mapping[str, Release], route: str, requests: float) -> Iterator[str]:
    most = max(len(release.pods) for release in found.values())
    yield (
        "CPU and memory are those of the parts' own processes. What databases, kubelet, kube-proxy "
        "and the network use for them is not counted."
    )
    error_us = 1e6 * _clock_error_s(most) / requests
    yield (
        f"A pod reports its CPU time in steps of {1_000 * TICK_S:.0f} ms. For {requests:.0f} "
        f"requests in {most} pods that is a random error of {error_us:,.0f} µs a request (one "
        "standard deviation), which is part of the intervals."
    )
    costs = [cost for release in found.values() for cost in release.scrape_cost_s.values()]
    yield (
        f"A scrape costs a pod {1_000 * min(costs):.1f} to {1_000 * max(costs):.1f} ms of CPU. "
        "That is subtracted once a window."
    )
    if route == FORWARD:
        yield "A port-forward leads to one pod, however many host the gateway."


def _clock_error_s(pods: int) -> float:
    """The standard deviation, in seconds, of the CPU that the clocks of this many pods report.

    User and system time are rounded down to whole steps at both edges: four uniform errors a pod.
    """
    return TICK_S * math.sqrt(4 * pods / 12)
