"""A release of the chart as a place where windows are measured.

Nothing is asked of it that its pods do not tell anybody: CPU, memory and counters are in what each
exposes at /metrics. That is read before the warm-up and after the last answer, never between, since
a part that is asked works. What one reading costs it is found beforehand, and taken off.
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
from borough_bill.targets.attribution import Counters, Memory, Own, ProcessGone
from borough_bill.targets.audit import Audit
from borough_bill.targets.cluster import Cluster, Unreachable
from borough_bill.targets.pods import Pod, pods

SCHEME = "k8s://"
CHART = "borough"
STORE = "BOROUGH_STORE"
AUDITOR = ("python", "-m", "borough", "audit", "--json")
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=15)
WEIGHED = 50
"""Readings whose price is taken: enough for clocks that tick 10 ms."""
SETTLED_WITHIN, LOOK_EVERY = 1.0, 0.1
"""Seconds, for what an order leaves to do after its answer."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """Which release, of the cluster that kubectl's current context means."""

    namespace: str
    release: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises BadAddress for anything but k8s://NAMESPACE/RELEASE."""
        parts = urlsplit(url)
        names = (parts.netloc, parts.path.removeprefix("/"))
        if not url.startswith(SCHEME) or not all(map(_NAME.fullmatch, names)) or parts.query:
            raise BadAddress(f"{url} is no release like {SCHEME}NAMESPACE/RELEASE")
        return cls(*names)

    @property
    def url(self) -> str:
        """As it was given."""
        return f"{SCHEME}{self.namespace}/{self.release}"

    @property
    def door(self) -> str:
        """The Service of its doors, by the chart's rule for names."""
        return self.release if CHART in self.release else f"{self.release}-{CHART}"

    @property
    def path(self) -> str:
        """Where the API server has what is in its namespace."""
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def pods(self) -> str:
        """Where it lists the pods of this release."""
        labels = f"app.kubernetes.io/name={CHART},app.kubernetes.io/instance={self.release}"
        return f"{self.path}/pods?labelSelector={quote(labels)}"


class Release:
    """The pods of a release, which must stay what they are: one more, one less or one that started
    again is another deployment. `pages` are base URLs of their ops ports by process, `door` is that
    of the doors.
    """

    def __init__(  # noqa: PLR0913  # all that makes one
        self,
        cluster: Cluster,
        name: ReleaseName,
        found: Sequence[Pod],
        *,
        pages: Mapping[str, str],
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
        self._pages = pages
        self.prices = dict.fromkeys(pages, 0.0)
        """CPU seconds that a reading costs each process, once that was weighed."""
        self._own: Mapping[str, Own] = {}
        self._counters = Counters({})

    @property
    def pids(self) -> Mapping[str, int]:
        """No process of this machine: `settle` tells what its pods used."""
        return {}

    async def weigh(self, readings: int = WEIGHED) -> None:
        """Find what a reading costs, by so many in a row. Raises as `arm`."""
        await self._read()
        before = self._own
        for _ in range(readings):
            await self._read()
        self.prices = {name: used / readings for name, used in self._since(before).items()}

    async def arm(self, rung: Rung | None) -> None:
        """It has no rungs. From here on CPU counts. Raises NotExposed, ProcessGone, Unreachable."""
        await self._same()
        await self._read()

    async def settle(self) -> Mapping[str, float]:
        """CPU seconds of every pod since `arm`; and wait until the last order is delivered too."""
        before = self._own
        await self._read()
        used = {name: max(s - self.prices[name], 0.0) for name, s in self._since(before).items()}
        until, last = time.monotonic() + SETTLED_WITHIN, Counters({})
        while self._counters != last and time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY)
            last = self._counters
            await self._read()
        await self._same()
        return used

    async def counters(self) -> Counters:
        """As its pods told them last, in `arm` or `settle`."""
        return self._counters

    async def memory(self) -> Mapping[str, Memory]:
        """As its pods told it last. What they share with others nobody tells."""
        return {process: Memory(own.rss_mib) for process, own in self._own.items()}

    async def audit(self) -> Audit:
        """What the auditor says, asked in a pod that has a store. Raises Unreachable."""
        for pod in self.pods:
            if STORE in pod.env:
                place = (self.name.namespace, pod.name, pod.container)
                return Audit.read(await self._cluster.executed(*place, AUDITOR))
        raise Unreachable(f"{self.url}: no pod is given {STORE}, so nobody can audit it")

    def _since(self, before: Mapping[str, Own]) -> dict[str, float]:
        """CPU seconds used between two readings, by process."""
        return {name: own.cpu_s - before[name].cpu_s for name, own in self._own.items()}

    async def _same(self) -> None:
        """Raises ProcessGone where it has other pods by now."""
        now = pods(await self._cluster.get(self.name.pods))
        if changed := {pod.name for pod in now} ^ set(self.names):
            raise ProcessGone(f"{self.url}: pod {min(changed)} came or went during the measurement")

    async def _read(self) -> None:
        """Ask every pod at the same time. A connection each: what is kept may be stale."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=ANSWERS_WITHIN) as http:
            told = await asyncio.gather(*(self._page(http, pod) for pod in self.pods))
        own = {pod.process: Own.read(text) for pod, text in zip(self.pods, told, strict=True)}
        for pod in self.pods:
            before = self._own.get(pod.process)
            if before is not None and before.started != own[pod.process].started:
                raise ProcessGone(f"{self.url}: pod {pod.name} started again meanwhile")
        self._own, self._counters = own, Counters.read(told)

    async def _page(self, http: aiohttp.ClientSession, pod: Pod) -> str:
        try:
            async with http.get(f"{self._pages[pod.process]}/metrics") as answer:
                answer.raise_for_status()
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProcessGone(f"{self.url}: pod {pod.name} does not tell: {error!r}") from error
