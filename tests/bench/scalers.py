"""Ten thousand scalers and their Deployments on a real API server: how late the operator is, what
it takes to be there, and what it writes.

Beside it, afterwards and under the same conditions, stands an operator with a timer for each
object. There are no controllers and no pods, and under the load nothing is to be scaled:
whatever either writes is its own doing, and kube-apiserver is asked what that was. It shares the
machine.
"""

import asyncio
import re
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import aiohttp
import typer

from bench.harness import Bench, BenchFailed, Child, child
from bench.rows import Goal, Row
from borough_bill.targets.attribution import cpu_seconds
from operator_api.apiserver import ADMIN, ApiServer, Object
from operator_api.objects import Namespace, install_crd, scaler, workload
from operator_api.running import Operator

OBJECTS = 10_000
INTERVAL_S, SHORTEST_S = 15.0, 2.0
"""Seconds between two decisions about an object, and in a quick run."""
DECISIONS, FEWEST = 6, 3
"""About each object while it is measured at rest."""
PATIENCE_S = 900.0
LOOK_S = 5.0
"""Between two looks; the most writes a second is over so long."""
AT_ONCE = 32
PROGRAMS = ("etcd", "kube-apiserver")
PEER = "Kopf with a timer for each object"
WRITTEN = re.compile(
    r'^apiserver_request_total\{(?=.*resource="(?:servicescalers|deployments|events)")'
    r'(?=.*verb="(?:APPLY|PATCH|PUT|POST|DELETE)").*\} ([0-9.e+]+)$',
    re.MULTILINE,
)
LAG = "borough_operator_tick_lag_seconds_bucket"
DECIDED = "borough_operator_decisions_total"


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen of one operator."""

    seconds: float
    """From its start until it had seen each object, and written what it wanted to."""
    first: float
    """Writes until then,"""
    a_second: float
    """and the most of them in one second."""
    late_p99_s: float
    cores: float
    writes: float
    """While it was at rest."""
    peak_mib: float
    finalizers: float


async def measure(bench: Bench) -> list[Row]:
    """The rows, or none where there is no API server to be had."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        typer.echo(f"the operator is not measured: {missing[0]} is not on the path", err=True)
        return []
    server = ApiServer(bench.folder)
    server.start()
    try:
        install_crd(server)
        scene = Scene(bench, server, Namespace(server), bench.calls(OBJECTS))
        await scene.furnish()
        async with child(bench, "bench.loads", scene.namespace.name, str(scene.objects)) as loads:
            scene.url = f"http://127.0.0.1:{(await loads.read())['port']:.0f}"
            ours, again = await scene.ours(scene.objects), await scene.ours(0)
            peer = await scene.peer()
            found = {"ours": ours, "ours, started again": again, "peer": peer}
            for field in fields(Found):
                values = {who: [getattr(each, field.name)] for who, each in found.items()}
                bench.samples[f"operator, {field.name}"] = values
            return _rows(scene, ours, again, peer)
    finally:
        server.stop()


def _rows(scene: "Scene", ours: Found, again: Found, peer: Found) -> list[Row]:
    what = f"{scene.objects:,} scalers every {scene.interval_s:g} s"

    def row(name: str, unit: str, of: str, goal: float | None) -> Row:
        value, other = getattr(ours, of), getattr(peer, of)
        return Row.judged(
            f"{what}: {name}", unit, value, peer=other, peer_name=PEER,
            ratio=value / other if other else None,
            goal=None if goal is None else Goal("ours", "<=", goal),
        )  # fmt: skip  # a row reads as one

    return [
        row("how late a decision begins, 99th percentile", "s", "late_p99_s", 1.0),
        row("CPU at rest", "cores", "cores", 0.5),
        row("peak memory (RSS)", "MiB", "peak_mib", 350.0),
        row("writes at rest", "requests", "writes", 0.0),
        row("objects with a finalizer", "objects", "finalizers", 0.0),
        row("writes a second after the first start, at most", "requests/s", "a_second", 150.0),
        row("from the first start until each has its status", "s", "seconds", None),
        Row.judged(
            f"{what}: writes after a restart", "requests", again.first + again.writes,
            goal=Goal("ours", "<=", 0.0),
        ),
    ]  # fmt: skip  # a row reads as one


class Scene:
    """The API server and all that stands in it. `url` is that of the Prometheus."""

    def __init__(self, bench: Bench, server: ApiServer, namespace: Namespace, objects: int) -> None:
        self.objects = objects
        self.interval_s = max(SHORTEST_S, INTERVAL_S * bench.scale)
        self.namespace = namespace
        self.url = ""
        self._bench = bench
        self._server = server
        self._rest_s = self.interval_s * max(FEWEST, DECISIONS * bench.scale)

    async def furnish(self) -> None:
        """Make the Deployments and the scalers."""
        self._bench.step(f"operator: making {self.objects:,} Deployments and as many scalers")
        names = iter([f"w{number}" for number in range(self.objects)])
        trust = ssl.create_default_context(cafile=str(self._server.authority))
        async with aiohttp.ClientSession(
            self._server.url,
            connector=aiohttp.TCPConnector(ssl=trust, limit=AT_ONCE),
            headers={"Authorization": f"Bearer {ADMIN}"},
        ) as session:

            async def make() -> None:
                for name in names:
                    for obj in (workload(name, 1), self._scaler(name)):
                        path = self.namespace.path(obj["kind"])
                        async with session.post(path, json=obj) as answer:
                            answer.raise_for_status()

            async with asyncio.TaskGroup() as makers:
                for _ in range(AT_ONCE):
                    makers.create_task(make())

    async def ours(self, statuses: int) -> Found:
        """Ours, from a start to its end; it has so many statuses to write."""
        before = self._written()
        operator = Operator(
            self._server.kubeconfig(), self._bench.folder,
            f"--namespaces={self.namespace.name}", f"--prometheus-url={self.url}",
        )  # fmt: skip  # who, where and by what
        operator.start()
        try:
            started, most = await self._settle("ours", partial(_decided, operator), statuses)
            first = self._written() - before
            lags, cpu, written = _lags(operator), cpu_seconds(operator.pid), self._written()
            await self._rest("ours", partial(operator.ask, "/metrics"))
            used = cpu_seconds(operator.pid) - cpu
            late = quantile(0.99, lags, _lags(operator))
            return Found(
                started, first, most, late, used / self._rest_s, self._written() - written,
                _peak_mib(operator.pid), self._finalizers(),
            )  # fmt: skip  # in the order of the fields
        finally:
            operator.kill()

    async def peer(self) -> Found:
        """The other one."""
        before = self._written()
        async with self._timers() as timers:
            pid = timers.pid
            reported: dict[str, float] = {}

            async def seen() -> float:
                reported.update(await timers.ask("how late"))
                return reported["objects"]

            started, most = await self._settle("the peer", seen, self.objects)
            first = self._written() - before
            await timers.ask("how late")
            cpu, written = cpu_seconds(pid), self._written()
            await self._rest("the peer", lambda: None)
            used = cpu_seconds(pid) - cpu
            late = await timers.ask("how late")
            return Found(
                started, first, most, late["p99_s"], used / self._rest_s,
                self._written() - written, _peak_mib(pid), self._finalizers(),
            )  # fmt: skip  # in the order of the fields

    async def _settle(
        self, who: str, seen: Callable[[], Awaitable[float]], writes: int
    ) -> tuple[float, float]:
        """Seconds until it has seen each object, and written so much; most writes a second."""
        began = last = time.monotonic()
        first = before = self._written()
        most = 0.0
        while True:
            await asyncio.sleep(min(LOOK_S, self.interval_s))
            objects = await seen()  # which may take as long as the operator is busy
            now, written = time.monotonic(), self._written()
            most = max(most, (written - before) / (now - last))
            words = (
                f"operator: {who} has seen {objects:,.0f}, and made {written - first:,.0f} writes"
            )
            self._bench.step(words)
            if objects >= self.objects and written >= first + writes and self._all_reported():
                return now - began, most
            if now - began > PATIENCE_S:
                raise BenchFailed(f"{words}, after {PATIENCE_S:g} s")
            last, before = now, written

    async def _rest(self, who: str, scrape: Callable[[], object]) -> None:
        """Let time pass, with a scrape when a Prometheus would make one."""
        end = time.monotonic() + self._rest_s
        while (left := end - time.monotonic()) > 0:
            self._bench.step(f"operator: {who} at rest for another {left:.0f} s")
            await asyncio.to_thread(scrape)
            await asyncio.sleep(min(self.interval_s, max(0.0, end - time.monotonic())))

    @asynccontextmanager
    async def _timers(self) -> AsyncIterator[Child]:
        """The peer, once it runs."""
        where = (str(self._server.kubeconfig()), self.namespace.name, self.url)
        async with child(self._bench, "bench.timers", *where, str(self.interval_s)) as timers:
            await timers.read()
            yield timers

    def _scaler(self, name: str) -> Object:
        return scaler(name, behavior={"interval": f"{self.interval_s:g}s"})

    def _written(self) -> float:
        """Requests that changed anything, or were to, says the API server."""
        return sum(float(count) for count in WRITTEN.findall(self._server.ask("GET", "/metrics")))

    def _all_reported(self) -> bool:
        """Whether each scaler has a status."""
        return all("status" in obj for obj in self.namespace.all("ServiceScaler"))

    def _finalizers(self) -> float:
        kinds = ("ServiceScaler", "Deployment")
        objects = (obj for kind in kinds for obj in self.namespace.all(kind))
        return float(sum("finalizers" in obj["metadata"] for obj in objects))


async def _decided(operator: Operator) -> float:
    """Decisions so far."""
    return sum(
        float(n) for n in re.findall(rf"^{DECIDED}{{.*}} (.+)$", _own(operator), re.MULTILINE)
    )


def _lags(operator: Operator) -> Mapping[float, float]:
    """Decisions that began at most so late, by seconds."""
    found = re.findall(rf'^{LAG}{{le="(.+)"}} (.+)$', _own(operator), re.MULTILINE)
    return {float(bound): float(count) for bound, count in found}


def _own(operator: Operator) -> str:
    """Its exposition, without the series of its scalers."""
    return operator.ask("/metrics")[1].split("# HELP borough_scaler", 1)[0]


def quantile(share: float, before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """Of what came between two looks at the buckets of a histogram; within a bucket, by a line."""
    counts = {bound: after[bound] - before[bound] for bound in sorted(after)}
    rank = share * max(counts.values())
    below = under = 0.0
    for bound, count in counts.items():
        if count >= rank:
            return below + (bound - below) * (rank - under) / (count - under)
        below, under = bound, count
    return below


def _peak_mib(pid: int) -> float:
    """The most memory it ever held."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.findall(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)[0]) / 1024
