"""A release of the chart as the target of windows.

CPU, memory and counters are those that each pod exposes at /metrics. They are scraped before the
warm-up and after the last answer, never between, since a scrape costs the part CPU. The cost of one
scrape is measured beforehand, and subtracted.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

import aiohttp

from borough_bill.load.wire import BadAddress
from borough_bill.results import Rung
from borough_bill.targets.attribution import Counters, Memory, ProcessGone, ProcessMetrics
from borough_bill.targets.audit import Audit
from borough_bill.targets.cluster import Cluster, Unreachable
from borough_bill.targets.pods import Pod, pods

SCHEME = "k8s://"
CHART = "borough"
STORE = "BOROUGH_STORE"
AUDITOR = ("python", "-m", "borough", "audit", "--json")
TIMEOUT = aiohttp.ClientTimeout(total=15)
SCRAPES = 50
"""Scrapes whose cost is measured: enough for clocks with steps of 10 ms."""
SETTLED_WITHIN_S, POLL_EVERY_S = 1.0, 0.1
"""For the work that an order leaves after its answer."""

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
        """The name as it is given on the command line."""
        return f"{SCHEME}{self.namespace}/{self.release}"

    @property
    def door(self) -> str:
        """The Service of its doors, by the chart's naming rule."""
        return self.release if CHART in self.release else f"{self.release}-{CHART}"

    @property
    def path(self) -> str:
        """The path of its namespace in the API."""
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
        cluster: Cluster,
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
