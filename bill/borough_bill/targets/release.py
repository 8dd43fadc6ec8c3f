"""The releases of the chart in one comparison, as targets of windows.

All are reached by the most direct route that works for each. A port-forward costs each request a
detour through the API server, which would otherwise count as a difference.

CPU, memory and counters are those that each pod exposes at /metrics, before the warm-up and after
the last answer. The CPU that a scrape costs a part is measured beforehand, and subtracted.
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlsplit

import aiohttp

from borough_bill.load.wire import BadAddress
from borough_bill.results import Rung
from borough_bill.targets.attribution import TICK_S, Counters, Memory, ProcessGone, ProcessMetrics
from borough_bill.targets.audit import Audit
from borough_bill.targets.cluster import (
    Kubectl,
    Node,
    Pod,
    Site,
    Unreachable,
    customers,
    nodes_of,
    placement,
    pods,
)
from borough_bill.targets.processes import TIMEOUT

SCHEME = "k8s://"
CHART = "borough"
STORE = "BOROUGH_STORE"
AUDITOR = ("python", "-m", "borough", "audit", "--json")
SCRAPES = 50
"""Scrapes whose cost is measured: enough for clocks with steps of 10 ms."""
SETTLED_WITHIN_S, POLL_EVERY_S = 1.0, 0.1
"""For the work that an order leaves after its answer."""
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

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release, in the cluster of kubectl's current context."""

    namespace: str
    release: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises BadAddress for anything but k8s://NAMESPACE/RELEASE."""
        parts = urlsplit(url)
        names = (parts.netloc, parts.path.removeprefix("/"))
        if not url.startswith(SCHEME) or not all(map(_NAME.fullmatch, names)) or parts.query:
            raise BadAddress(f"{url} is not a release like {SCHEME}NAMESPACE/RELEASE")
        return cls(*names)

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.namespace}/{self.release}"

    @property
    def door(self) -> str:
        """The Service of its doors, by the chart's naming rule."""
        return self.release if CHART in self.release else f"{self.release}-{CHART}"

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def pods(self) -> str:
        """The path of the list of its pods."""
        labels = f"app.kubernetes.io/name={CHART},app.kubernetes.io/instance={self.release}"
        return f"{self.path}/pods?labelSelector={quote(labels)}"


class Release:
    """The pods of a release, which must not change: with a pod added, removed or restarted it is
    another deployment. `ops_urls` are the base URLs of their ops ports by process, `door` is that
    of the doors.
    """

    def __init__(  # noqa: PLR0913  # the facts of a release
        self,
        cluster: Kubectl,
        name: ReleaseName,
        found: Sequence[Pod],
        *,
        ops_urls: Mapping[str, str],
        door: str,
        customers: Mapping[str, str],
    ) -> None:
        self.name = name
        self.url = name.url
        self.pods = tuple(found)
        self.names = tuple(pod.name for pod in found)
        self.customers = customers
        self.doors = {"": (door,)}
        self._cluster = cluster
        self._ops_urls = ops_urls
        self.scrape_cost_s = dict.fromkeys(ops_urls, 0.0)
        """CPU seconds that a scrape costs each process, once measured."""
        self._processes: Mapping[str, ProcessMetrics] = {}
        self._counters = Counters({})

    @property
    def pids(self) -> Mapping[str, int]:
        """None on this machine; `settle` returns the CPU of its pods."""
        return {}

    async def measure_scrape_cost(self, scrapes: int = SCRAPES) -> None:
        """Measure the cost of a scrape, by `scrapes` in a row. Raises as `switch_to`."""
        await self._scrape()
        before = self._processes
        for _ in range(scrapes):
            await self._scrape()
        self.scrape_cost_s = {name: used / scrapes for name, used in self._since(before).items()}

    async def switch_to(self, rung: Rung | None) -> None:
        """It has no rungs. CPU counts from here on. Raises NotExposed, ProcessGone, Unreachable."""
        await self._check_pods()
        await self._scrape()

    async def settle(self) -> Mapping[str, float]:
        """The CPU seconds of every pod since `switch_to`; waits until the counters stay equal."""
        before = self._processes
        await self._scrape()
        cost = self.scrape_cost_s
        used = {name: max(s - cost[name], 0.0) for name, s in self._since(before).items()}
        until, last = time.monotonic() + SETTLED_WITHIN_S, Counters({})
        while self._counters != last and time.monotonic() < until:
            await asyncio.sleep(POLL_EVERY_S)
            last = self._counters
            await self._scrape()
        await self._check_pods()
        return used

    async def counters(self) -> Counters:
        """Those of the last scrape, in `switch_to` or `settle`."""
        return self._counters

    async def memory(self) -> Mapping[str, Memory]:
        """That of the last scrape; shared pages are not known."""
        return {name: Memory(process.rss_mib) for name, process in self._processes.items()}

    async def audit(self) -> Audit:
        """The report of the auditor, run in a pod that has a store. Raises Unreachable."""
        for pod in self.pods:
            if STORE in pod.env:
                container = (self.name.namespace, pod.name, pod.container)
                return Audit.read(await self._cluster.executed(*container, AUDITOR))
        raise Unreachable(f"{self.url}: no pod has {STORE}, so it cannot be audited")

    def _since(self, before: Mapping[str, ProcessMetrics]) -> dict[str, float]:
        """CPU seconds used between two scrapes, by process."""
        return {name: now.cpu_s - before[name].cpu_s for name, now in self._processes.items()}

    async def _check_pods(self) -> None:
        """Raises ProcessGone if its pods have changed."""
        now = pods(await self._cluster.get(self.name.pods))
        if changed := {pod.name for pod in now} ^ set(self.names):
            raise ProcessGone(
                f"{self.url}: pod {min(changed)} was added or removed during the measurement"
            )

    async def _scrape(self) -> None:
        """Read every pod at the same time, on new connections, since kept ones may be stale."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as http:
            texts = await asyncio.gather(*(self._metrics(http, pod) for pod in self.pods))
        names = (pod.process for pod in self.pods)
        now = dict(zip(names, map(ProcessMetrics.read, texts), strict=True))
        for pod in self.pods:
            before = self._processes.get(pod.process)
            if before is not None and before.started != now[pod.process].started:
                raise ProcessGone(f"{self.url}: pod {pod.name} restarted meanwhile")
        self._processes, self._counters = now, Counters.read(texts)

    async def _metrics(self, http: aiohttp.ClientSession, pod: Pod) -> str:
        try:
            async with http.get(f"{self._ops_urls[pod.process]}/metrics") as answer:
                answer.raise_for_status()
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProcessGone(f"{self.url}: pod {pod.name} does not answer: {error!r}") from error


@asynccontextmanager
async def open_releases(
    cluster: Kubectl,
    names: Mapping[str, ReleaseName],
    keys: Mapping[str, str] | None,
    requests: float,
    *,
    scrapes: int = SCRAPES,
) -> AsyncIterator[tuple[dict[str, Release], Site]]:
    """The releases, with their doors, while the context lasts; and where they run, for the report.

    Without `keys`, each has the customers of its own Secret. `requests` are those of a window.
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
    cluster: Kubectl,
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
    stack: AsyncExitStack, cluster: Kubectl, names: Mapping[str, ReleaseName], nodes: Sequence[Node]
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
    # User and system time are rounded down to whole steps at both edges: four uniform errors a pod.
    error_us = 1e6 * TICK_S * math.sqrt(4 * most / 12) / requests
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
