"""Every deployment of a run, up at the same time: the shapes, the order as one transaction, and the
ladder's parts, all on stores and settings of the same kind.

All stand ready while one is measured: what is idle costs the same few timers in each window, and no
window begins with a start.
"""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from borough_bill.experiments.application import Application
from borough_bill.experiments.scale import Scale
from borough_bill.results import RUNGS, Rung
from borough_bill.targets.attribution import Counters, Memory, cpu_seconds, memory_of, total
from borough_bill.targets.processes import PartDied
from borough_bill.targets.shapes import LocalShape, Shape, shape_named

BASELINE = "baseline"
LOW, HIGH = "ladder-low", "ladder-high"
"""The ladder's parts: the reference below the network, the last of the shapes from there on."""
NETWORK: Rung = "T3"
"""The first rung that takes more than one process."""

TRACED: tuple[Rung, ...] = ("T7a", "T7b")
"""The rungs that export spans."""
PLACED, TOLD = "borough_orders_total", "borough_outbox_deliveries_total"
"""Orders that were settled, and events of placed ones that were delivered."""
STILL = 5
"""Looks in a row that find no counter moved: ten times as long as a relay lingers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long a window waits for its subject, in seconds."""

    look_every_s: float = 0.02
    """The pause between two looks at what its processes say."""
    delivered_within_s: float = 10
    """What a window left is taken as delivered after this."""
    switched_within_s: float = 60
    """A process that has not changed its rung by then never will."""


class Town:
    """A running deployment as a place where windows are measured. Where it `relays`, every placed
    order is an event that is delivered; what is under way otherwise is over when `still` looks in a
    row found no counter moved.
    """

    def __init__(
        self,
        local: LocalShape,
        customers: Mapping[str, str],
        *,
        relays: bool = True,
        still: int = 1,
        waits: Waits = Waits(),
    ) -> None:
        self.local = local
        self._relays = relays
        self._still = still
        self._waits = waits
        self.customers = customers
        self._rung: Rung | None = None

    @cached_property
    def doors(self) -> dict[str, tuple[str, ...]]:
        """Base URLs by the path prefixes that have a door of their own; "" for every other path."""
        claimed = (prefix for prefixes in self.local.shape.doors.values() for prefix in prefixes)
        return {prefix: self.local.addresses(prefix) for prefix in ("", *claimed)}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by process name, where processes can be read: only Linux lets others read
        CPU and memory. Raises PartDied.
        """
        return self.local.pids if sys.platform == "linux" else {}

    async def arm(self, rung: Rung | None) -> None:
        """Let every process stand on this rung. Raises PartDied where one does not say so in time.

        A process says so once it has exported every span of the rung before.
        """
        if rung not in (None, self._rung):
            before = await self._switches()
            self._signal(rung)
            await self._switched(rung, before)
            self._rung = rung

    async def settle(self) -> dict[str, float]:
        """Wait until the last order is delivered too. Where spans are exported, let it be done now,
        and answer its CPU seconds by process: exports are seconds apart, so that a short window
        would hold all of one or none. What the signal, the waiting and our looking cost is found by
        doing it all again with nothing left to export, and taken off: no other rung pays it.
        """
        await self._delivered()
        if self._rung not in TRACED:
            return {}
        export, looks = await self._export(self._rung)
        nothing, _ = await self._export(self._rung, looks)
        return {name: used - nothing[name] for name, used in export.items()}

    async def _export(self, rung: Rung, looks: int = 1) -> tuple[dict[str, float], int]:
        """CPU seconds by process of exporting what there is, and how often we looked whether it was
        done: at least `looks` times.
        """
        before, clocks = await self._switches(), self._clocks()
        self._signal(rung)
        looked = await self._switched(rung, before, looks)
        return {name: now - clocks[name] for name, now in self._clocks().items()}, looked

    async def _delivered(self) -> None:
        """Wait until nothing is counted any more and every placed order has been told of: on a busy
        machine the relay may rest for longer than the time between two looks.
        """
        until, before, still = time.monotonic() + self._waits.delivered_within_s, None, 0
        while time.monotonic() < until:
            pages = await self.local.expositions()
            now = Counters.read(pages)
            still = still + 1 if now == before else 0
            if still >= self._still and (not self._relays or _all_told(pages)):
                return
            before = now
            await asyncio.sleep(self._waits.look_every_s)

    def _clocks(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def _signal(self, rung: Rung) -> None:
        for process in self.local.processes:
            process.signal(signal.SIGRTMIN + RUNGS.index(rung))

    async def _switches(self) -> list[int]:
        return [facts["switches"] for facts in await self.local.facts()]

    async def _switched(self, rung: Rung, before: list[int], looks: int = 1) -> int:
        """Wait until every part stands on this rung anew; how often we looked, `looks` at least."""
        until, looked = time.monotonic() + self._waits.switched_within_s, 0
        while True:
            await asyncio.sleep(self._waits.look_every_s)
            looked += 1
            there = await self.local.facts()
            done = all(
                facts["rung"] == rung and facts["switches"] > last
                for facts, last in zip(there, before, strict=True)
            )
            if done and looked >= looks:
                return looked
            if not done and time.monotonic() > until:
                raise PartDied(
                    f"not every part of {self.local.shape.name} stands on rung {rung} after "
                    f"{self._waits.switched_within_s:g} s"
                )

    async def counters(self) -> Counters:
        """What all its processes have counted so far."""
        return Counters.read(await self.local.expositions())

    async def memory(self) -> Mapping[str, Memory]:
        """What they hold now."""
        return memory_of(self.pids)


def _all_told(pages: Sequence[str]) -> bool:
    """Whether as many events were delivered as orders were placed."""
    return total(pages, TOLD, result="sent") >= total(pages, PLACED, outcome="placed")


class Towns:
    """The deployments of an application by name, running while the `async with` lasts.

    The shapes of `scale` stand beside its reference; with `otlp`, where the ladder's spans go, the
    ladder leads to the last of them, and without there is none. `folder` takes stores and logs;
    with `stores_there` it holds the stores already. `cpu` is the core that all share.
    """

    def __init__(  # noqa: PLR0913  # what, how much of it and where
        self,
        of: Application,
        scale: Scale,
        folder: Path,
        *,
        cpu: int | None,
        otlp: str | None,
        stores_there: bool = False,
    ) -> None:
        self.of = of
        self.scale = scale
        self._stores_there = stores_there
        self._folder = folder
        self._cpu = cpu
        one, *others = (shape_named(name, app=of.name) for name in (scale.reference, *scale.shapes))
        self._towns = {
            scale.reference: self._town(scale.reference, one),
            scale.again: self._town(scale.again, one),
            **{shape.name: self._town(shape.name, shape) for shape in others},
        }
        if of.baseline is not None:
            alone = Shape(BASELINE, {"shop": ()}, {})
            command = (of.baseline, "serve")
            self._towns[BASELINE] = self._town(BASELINE, alone, command, {"SHAPE": ""})
        if otlp is not None and of.rungs is not None:
            spans, rungs = {"OTLP_ENDPOINT": otlp}, (of.rungs.module, "serve", "--rung")
            self._towns[LOW] = self._town(LOW, one, (*rungs, RUNGS[0]), spans)
            self._towns[HIGH] = self._town(HIGH, others[-1], (*rungs, NETWORK), spans)
        self._stack = AsyncExitStack()

    def _town(
        self,
        name: str,
        shape: Shape,
        module: Sequence[str] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> Town:
        home = self._folder / name
        home.mkdir(parents=True, exist_ok=True)
        local = LocalShape(
            shape,
            home,
            keys=self.of.keys,
            settings={**self.of.settings, **settings},
            app=self.of.name,
            module=module,
            cpu=self._cpu,
        )
        counted = self.of.counts_deliveries
        return Town(
            local, self.of.keys, relays=counted and name != BASELINE, still=1 if counted else STILL
        )

    def __getitem__(self, name: str) -> Town:
        return self._towns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._towns)

    def for_rung(self, rung: Rung) -> tuple[str, Town]:
        """The deployment that can stand on this rung, and its name."""
        name = LOW if RUNGS.index(rung) < RUNGS.index(NETWORK) else HIGH
        return name, self[name]

    @property
    def audited(self) -> dict[str, Town]:
        """Those that keep the books the auditor reads: all but the baseline."""
        return {name: town for name, town in self._towns.items() if name != BASELINE}

    async def __aenter__(self) -> Self:
        if not self._stores_there:
            first, *others = self.audited
            await self[first].local.prepare(self.of.seed)
            for name in others:
                shutil.copytree(self._folder / first / "data", self._folder / name / "data")
        async with AsyncExitStack() as stack:
            began = await asyncio.gather(
                *(stack.enter_async_context(town.local) for town in self._towns.values()),
                return_exceptions=True,  # so that none is still on its way when others are stopped
            )
            for outcome in began:
                if isinstance(outcome, BaseException):
                    raise outcome
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
