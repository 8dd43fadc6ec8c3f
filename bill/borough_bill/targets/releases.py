"""The releases of one comparison: in one cluster, and reached by one way.

A port-forward costs each request a detour through the API server, a Service's own address none. So
all are reached by the most direct way that leads to each: else its price would be a difference.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from borough_bill.experiments.foreign import Site
from borough_bill.targets.attribution import TICK_S
from borough_bill.targets.cluster import Cluster, Unreachable
from borough_bill.targets.nodes import Node, nodes_of, placement
from borough_bill.targets.pods import customers, pods
from borough_bill.targets.release import WEIGHED, Release, ReleaseName

ADDRESS, NODE_PORT, FORWARD = "the Service's own address", "a node port", "kubectl port-forward"
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=2)
"""Seconds for a door to be one: what filters packets lets whoever waits wait."""
LOOKED_AT = "/v1/orders"
REFUSED, PROBLEM = 401, "application/problem+json"
"""What a door of ours says there to somebody without a key."""
SOURCES = {
    "CPU": "each pod's own CPU clock, before the warm-up and after the last answer",
    "memory": "each pod's own word (process_resident_memory_bytes), after the window",
}


@asynccontextmanager
async def opened(
    cluster: Cluster,
    names: Mapping[str, ReleaseName],
    keys: Mapping[str, str] | None,
    requests: float,
    *,
    readings: int = WEIGHED,
) -> AsyncIterator[tuple[dict[str, Release], Site]]:
    """The releases, with their doors, while the context lasts; and what is to be told of where they
    run. Without `keys`, each has its own customers. `requests` are those of a window.
    What a reading costs is found by so many `readings`.

    Raises NotExposed, ProcessGone, Unreachable.
    """
    async with AsyncExitStack() as stack:
        nodes = nodes_of(await cluster.get("/api/v1/nodes"))
        way, urls = await _way(stack, cluster, names, nodes)
        found = {
            at: await _found(stack, cluster, name, urls[at], keys) for at, name in names.items()
        }
        for release in found.values():
            await release.weigh(readings)
        where = placement({at: release.pods for at, release in found.items()}, nodes)
        notes = tuple(_notes(found, way, requests))
        yield found, Site(f"{where}; doors are reached by {way}", SOURCES, notes)


async def _found(
    stack: AsyncExitStack,
    cluster: Cluster,
    name: ReleaseName,
    door: str,
    keys: Mapping[str, str] | None,
) -> Release:
    """What runs now. Raises Unreachable where nothing does, or something is not ready."""
    there = pods(await cluster.get(name.pods))
    if not there:
        raise Unreachable(f"{name.url}: there is no pod of a part of such a release")
    if unready := [pod.name for pod in there if not pod.ready]:
        raise Unreachable(f"{name.url}: pod {unready[0]} is not ready")
    pages = {
        pod.process: await stack.enter_async_context(
            cluster.forwarded(name.namespace, f"pod/{pod.name}", pod.port)
        )
        for pod in there
    }
    if keys is None:
        keys = await customers(cluster, name.namespace, there)
    return Release(cluster, name, there, pages=pages, door=door, customers=keys)


async def _way(
    stack: AsyncExitStack, cluster: Cluster, names: Mapping[str, ReleaseName], nodes: Sequence[Node]
) -> tuple[str, dict[str, str]]:
    """The most direct way there is to all doors, and their URLs."""
    services = {
        at: await cluster.get(f"{name.path}/services/{name.door}") for at, name in names.items()
    }
    known = {at: dict(_direct(service["spec"], nodes)) for at, service in services.items()}
    async with aiohttp.ClientSession(timeout=ANSWERS_WITHIN) as http:
        for way in (ADDRESS, NODE_PORT):
            urls = {at: direct[way] for at, direct in known.items() if way in direct}
            if len(urls) == len(names) and all(
                await asyncio.gather(*(_is_door(http, url) for url in urls.values()))
            ):
                return way, urls
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
    """Ways that need nobody's help, where they lead anywhere from here."""
    port = spec["ports"][0]
    yield ADDRESS, _url(spec["clusterIP"], port["port"])
    if "nodePort" in port:
        yield NODE_PORT, _url(nodes[0].addresses[0], port["nodePort"])


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _is_door(http: aiohttp.ClientSession, url: str) -> bool:
    """Whether a door of ours answers there, and no stranger who has the same address out here."""
    try:
        async with http.get(url + LOOKED_AT) as answer:
            return (answer.status, answer.content_type) == (REFUSED, PROBLEM)
    except (aiohttp.ClientError, TimeoutError):
        return False


def _notes(found: Mapping[str, Release], way: str, requests: float) -> Iterator[str]:
    most = max(len(release.pods) for release in found.values())
    yield (
        "CPU and memory are those of the parts' own processes. What databases, kubelet, kube-proxy "
        "and the network use for them is in nobody's."
    )
    yield (
        f"A pod tells its CPU time in steps of {1_000 * TICK_S:.0f} ms. Of {requests:.0f} requests "
        f"in {most} pods one reading is off by {1e6 * _blur(most) / requests:,.0f} µs a request "
        "(one standard deviation), by chance, so that the intervals hold it."
    )
    prices = [price for release in found.values() for price in release.prices.values()]
    yield (
        f"To be asked for its figures costs a pod {1_000 * min(prices):.1f} to "
        f"{1_000 * max(prices):.1f} ms of CPU. That is taken off, once a window."
    )
    if way == FORWARD:
        yield "A port-forward leads to one pod, however many host the gateway."


def _blur(pods: int) -> float:
    """Standard deviation, in CPU seconds, of what the clocks of so many pods say was used.

    User and system time are cut down to whole steps, each at both edges: four uniform errors a pod.
    """
    return TICK_S * math.sqrt(4 * pods / 12)
