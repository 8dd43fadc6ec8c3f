"""A side of a comparison: an application that runs, and is asked through HTTP and its command line.

Nothing of it is imported, so that a commit may rename what it likes: what the names are stands in
`bench.profiles`. As shipped, apart from what `PLAN` says, and with every span exported to a sink
that does nothing with it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bench.databases import Database, database
from bench.harness import OURS, Bench, BenchFailed, Build, Child, child, collector
from bench.orderer import Task
from bench.profiles import COMMON, PREFIXES, Profile, profile_of
from borough_bill.load.customers import make_customers
from borough_bill.targets.attribution import cpu_seconds
from borough_bill.targets.audit import Audit
from borough_bill.targets.machine import Placement
from borough_bill.targets.processes import HOST, Ports, Process, die_with_parent, pin

MONOLITH, MICROSERVICES = "monolith", "microservices"
SHAPES = (MONOLITH, MICROSERVICES)
GATEWAY, ORDERS = "gateway", "orders"
"""The capability of the doors, and the one with the outbox."""
PLAN: Mapping[str, str] = MappingProxyType({"drain": "0", "iterations": "0", "deadline": "60000"})
"""PBKDF2 is the same C code on all sides, and would blur what differs. The deadline, in
milliseconds, is so long that a busy machine is slow and does not fail."""
WITHIN_S = 120.0
LOOK_EVERY_S = 0.02
SETTLED_S = 0.25
"""After the last event was delivered, for its row to be marked."""
CALM_S = 1.0
"""Without another event after orders of which it is not known whether they were placed."""
COMMON_WAY = "the order as most would write it"


class Side:
    """One application. `start` and `stop` it as often as needed; its database stays."""

    def __init__(  # noqa: PLR0913  # all that makes a side
        self,
        bench: Bench,
        name: str,
        build: Build,
        *,
        profile: Profile,
        shape: str,
        store: Database,
        otlp: str,
    ) -> None:
        self.name = name
        self.store = store
        self._bench = bench
        self._build = build
        self._profile = profile
        self._shape = shape
        self._otlp = otlp
        self._processes: list[Process] = []
        self._outbox: Process | None = None
        self._driver: Child | None = None
        self._stack = AsyncExitStack()
        self.expected = 0
        """Events that this start must deliver."""

    async def prepare(self) -> None:
        """Make the stores and put the menu in."""
        await self._command(*self._profile.migrate)
        await self._command(*self._profile.seed)

    async def start(self, store: Database | None = None, *, at: str = "", **extra: str) -> None:
        """Start every part on this store, with these settings besides, and wait until all are
        ready, or answer at the path `at` of the operations' port. Raises BenchFailed.
        """
        parts = await self._parts()
        ports = {part: Ports() for part in parts}
        place = {
            capability: f"http://{HOST}:{ports[part].internal}"
            for part, hosted in parts.items()
            for capability in hosted
        }
        for part, hosted in parts.items():
            peers = {c: [url] for c, url in place.items() if c not in hosted and c != GATEWAY}
            own = {
                "part": part,
                "peers": json.dumps(peers),
                "public": str(ports[part].public),
                "internal": str(ports[part].internal),
                "ops": str(ports[part].ops),
            }
            process = Process(
                part, 0, hosted, ports=ports[part], python=self._build.python,
                environment=self._environment(store or self.store, own | extra),
                module=(self._profile.module, *self._profile.serve),
                log=self._bench.folder / f"{self.name}-{self._shape}-{part}.log",
            )  # fmt: skip  # what, where, and with what
            await process.start()
            self._processes.append(process)
            self._stack.callback(process.ports.release)
            self._stack.push_async_callback(process.kill)
            if ORDERS in hosted or len(parts) == 1:
                self._outbox = process
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        path = at or self._profile.ready
        await asyncio.gather(*(self._answering(process, path) for process in self._processes))
        door = next((p for p, hosted in parts.items() if GATEWAY in hosted), next(iter(parts)))
        self._door = f"http://{HOST}:{ports[door].public}"

    @property
    def processes(self) -> tuple[Process, ...]:
        """Its parts, since it was started."""
        return tuple(self._processes)

    async def drive(self) -> None:
        """Let customers in."""
        self._driver = await self._stack.enter_async_context(
            child(
                self._bench, "bench.orderer", self._door, self._profile.orders,
                self._profile.profile, cpu=Placement.here().generator,
            )
        )  # fmt: skip  # one command
        await self._driver.read()

    async def stop(self) -> None:
        """End every process."""
        for process in self._processes:
            if process.running:
                await process.terminate(WITHIN_S)
        await self._stack.aclose()
        self._processes.clear()
        self._driver, self.expected = None, 0

    def pin(self, cpu: int | None) -> None:
        """Keep the parts on this core, if it is one."""
        if cpu is not None:
            for process in self._processes:
                pin(process.pid, cpu)

    def cpu_s(self) -> float:
        """What the parts used so far."""
        return sum(cpu_seconds(process.pid) for process in self._processes)

    async def order(self, task: Task, *, all_placed: bool = True) -> dict[str, float]:
        """What the customers say after it. Raises BenchFailed where an order was not placed."""
        if self._driver is None:
            raise ValueError(f"{self.name} has no customers")
        said = await self._driver.ask(task.model_dump_json())
        self.expected += round(said["placed"])
        if all_placed and said["failed"]:
            words = "\n".join(process.log_tail() for process in self._processes)
            raise BenchFailed(f"{self.name}: not all orders were placed: {said}\n{words}")
        return said

    async def delivered(self) -> int:
        """Events that were delivered since the start. Raises BenchFailed."""
        if self._outbox is None:
            raise ValueError(f"{self.name} does not run")
        return await self._counted(self._outbox, self._profile.delivered, result="sent")

    async def _counted(self, process: Process, metric: str, **labels: str) -> int:
        """The sum of the samples that have these labels. Raises BenchFailed."""
        url = f"http://{HOST}:{process.ports.ops}{self._profile.metrics}"
        try:
            async with self._http.get(url) as answer:
                families = list(text_string_to_metric_families(await answer.text()))
        except aiohttp.ClientError as error:
            raise BenchFailed(f"{self.name}: {url}: {error!r}\n{process.log_tail()}") from None
        return sum(
            int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    async def until_delivered(self, events: int) -> int:
        """Wait until so many were, and answer how many they are then. Raises BenchFailed."""
        seen = 0
        try:
            async with asyncio.timeout(WITHIN_S):
                while (seen := await self.delivered()) < events:
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise BenchFailed(
                f"{self.name} delivered {seen} of {events} events in {WITHIN_S:.0f} s"
            ) from None
        return seen

    async def drained(self, *, doubtful: bool = False) -> None:
        """Wait until every event was delivered and its row is marked; where it is `doubtful` how
        many there are, until there are no more. Raises BenchFailed.
        """
        seen = await self.until_delivered(self.expected)
        await asyncio.sleep(SETTLED_S)
        while doubtful:
            self.expected = seen
            await asyncio.sleep(CALM_S)
            seen = await self.delivered()
            doubtful = seen != self.expected

    async def check(self, placed: int) -> None:
        """Ask its auditor, and whether it lost a span, which is cheaper than to export it. Raises
        BenchFailed where it did, or where the auditor finds violations or fewer orders.
        """
        if self._profile.dropped:
            lost = [await self._counted(p, self._profile.dropped) for p in self._processes]
            if any(lost):
                raise BenchFailed(f"{self.name} lost {sum(lost)} spans")
        audit = Audit.read(await self._command(*self._profile.audit, well=(0, 1)))
        if audit.violations or audit.orders.get("placed", 0) < placed:
            found = "\n".join(audit.violations[:5])
            raise BenchFailed(
                f"{self.name}: {placed} placed; the auditor found {audit.orders}\n{found}"
            )

    async def _parts(self) -> dict[str, tuple[str, ...]]:
        """The capabilities of each part of the shape; none are named where there is one."""
        if not self._profile.shapes:
            return {"app": ()}
        shape = json.loads(await self._command(*self._profile.shapes))[self._shape]
        parts = shape.get("parts", shape)  # an older commit names only parts
        return {part: tuple(hosted) for part, hosted in parts.items()}

    async def _command(self, *words: str, well: Collection[int | None] = (0,)) -> str:
        process = await asyncio.create_subprocess_exec(
            self._build.python, "-m", self._profile.module, *words,
            env=self._environment(self.store, {}), preexec_fn=die_with_parent,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip  # the command on one line, as one would type it
        out, err = await process.communicate()
        if process.returncode not in well:
            said = (out + err).decode(errors="replace")
            raise BenchFailed(f"{self.name}: {' '.join(words)} ended {process.returncode}:\n{said}")
        return out.decode()

    def _environment(self, store: Database, own: Mapping[str, str]) -> dict[str, str]:
        keys = {customer.name: customer.key for customer in make_customers(50)}
        meant = {
            "shape": self._shape,
            "store": store.url,
            "keys": json.dumps(keys),
            "otlp": self._otlp,
            **PLAN,
            **own,
        }
        outside = {
            name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)
        }
        outside.pop("PYTHONPATH", None)
        if self._profile.path:
            outside["PYTHONPATH"] = str(self._build.tree / self._profile.path)
        names = self._profile.settings
        return outside | {names[key]: value for key, value in meant.items() if key in names}

    async def start_counting(self, store: Database) -> None:
        """Start on this store, and wait no longer than until deliveries can be counted."""
        await self.start(store, at=self._profile.metrics)

    async def _answering(self, process: Process, path: str) -> None:
        url = f"http://{HOST}:{process.ports.ops}{path}"
        try:
            async with asyncio.timeout(WITHIN_S):
                while not await self._answers(url):
                    if not process.running:
                        raise BenchFailed(f"{self.name}, {process.name}:\n{process.log_tail()}")
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise BenchFailed(
                f"{self.name} does not answer at {path}:\n{process.log_tail()}"
            ) from None

    async def _answers(self, url: str) -> bool:
        try:
            async with self._http.get(url) as answer:
                return answer.ok
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def sides(
    bench: Bench, shape: str, kind: str, *, common: bool = False
) -> AsyncIterator[dict[str, Side]]:
    """Ours, the commit the bench compares with, and where asked for the common way, by name; each
    with a prepared store of its own, and not started yet.
    """
    wanted: list[tuple[str, Build, Profile]] = [("ours", OURS, profile_of(OURS.tree))]
    if bench.beside is not None:
        wanted.append((bench.beside.name, bench.beside, profile_of(bench.beside.tree)))
    if common:
        wanted.append((COMMON_WAY, OURS, COMMON))
    async with AsyncExitStack() as stack:
        otlp = await stack.enter_async_context(collector(bench))
        made = {}
        for name, build, profile in wanted:
            bench.step(f"{shape}, {kind}: preparing {name}")
            store = stack.enter_context(database(kind))
            side = Side(bench, name, build, profile=profile, shape=shape, store=store, otlp=otlp)
            await side.prepare()
            stack.push_async_callback(side.stop)
            made[name] = side
        yield made
