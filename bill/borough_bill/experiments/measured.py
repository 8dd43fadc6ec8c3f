"""The running shapes of a measurement: the shapes, the order as one transaction, and the processes
of the ladder, all with the same kind of stores and the same settings.

All run while one is measured: the idle ones cost the same few timers in every window, and no window
begins with a start.
"""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self

from borough_bill.experiments.application import Application
from borough_bill.experiments.scale import Scale
from borough_bill.results import RUNGS, Rung
from borough_bill.targets.attribution import Counters, Memory, cpu_seconds_of, memory_of, total
from borough_bill.targets.processes import PartDied
from borough_bill.targets.shapes import LocalShape, Shape, shape_named

BASELINE = "baseline"
LOW, HIGH = "ladder-low", "ladder-high"
"""The shapes of the ladder: the reference below NETWORK, the last of the shapes from there on."""
NETWORK: Rung = "T3"
"""The first rung with more than one process."""

TRACED: tuple[Rung, ...] = ("T7a", "T7b")
"""The rungs that export spans."""
PLACED, DELIVERED = "borough_orders_total", "borough_outbox_deliveries_total"
"""Counters of settled orders, and of delivered events of placed orders."""
UNCHANGED_POLLS = 5
"""Polls in a row with equal counters: ten times as long as a relay waits for more rows."""


class MeasuredShape:
    """A running shape as the target of windows.

    A window ends when `unchanged_polls` polls in a row, `poll_every_s` apart, found equal counters
    and, where it `relays`, the event of every placed order was delivered; `delivered_within_s`
    after its last answer in any case. A process that has not changed its rung within
    `switched_within_s` is an error.
    """

    def __init__(  # noqa: PLR0913  # all that a window waits for
        self,
        local: LocalShape,
        customers: Mapping[str, str],
        *,
        relays: bool = True,
        unchanged_polls: int = 1,
        poll_every_s: float = 0.02,
        delivered_within_s: float = 10,
        switched_within_s: float = 60,
    ) -> None:
        self.local = local
        self.customers = customers
        self._relays = relays
        self._unchanged_polls = unchanged_polls
        self._poll_every_s = poll_every_s
        self._delivered_within_s = delivered_within_s
        self._switched_within_s = switched_within_s
        self._rung: Rung | None = None

    @cached_property
    def doors(self) -> dict[str, tuple[str, ...]]:
        """Base URLs by the path prefixes that have their own door; "" for every other path."""
        claimed = (prefix for prefixes in self.local.shape.doors.values() for prefix in prefixes)
        return {prefix: self.local.addresses(prefix) for prefix in ("", *claimed)}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by process name; none except on Linux, where the CPU and memory of other
        processes can be read. Raises PartDied.
        """
        return self.local.pids if sys.platform == "linux" else {}

    async def switch_to(self, rung: Rung | None) -> None:
        """Switch every process to this rung. Raises PartDied if one does not confirm it in time.

        A process confirms after it has exported every span of the previous rung.
        """
        if rung not in (None, self._rung):
            before = await self._switches()
            self._signal(rung)
            await self._switched(rung, before)
            self._rung = rung

    async def settle(self) -> dict[str, float]:
        """Wait until the events of the last order are delivered. On a rung that exports spans,
        export them now and return the CPU seconds of that by process: exports are seconds apart, so
        a short window would contain all of one or none. The cost of the signal and of polling is
        measured by a second export with no spans left, and subtracted: other rungs do not have it.
        """
        await self._delivered()
        if self._rung not in TRACED:
            return {}
        export, polls = await self._export(self._rung)
        empty, _ = await self._export(self._rung, polls)
        return {name: used - empty[name] for name, used in export.items()}

    async def _export(self, rung: Rung, polls: int = 1) -> tuple[dict[str, float], int]:
        """CPU seconds by process of exporting all spans, and the number of polls until it was done:
        at least `polls`.
        """
        before, clocks = await self._switches(), cpu_seconds_of(self.pids)
        self._signal(rung)
        polled = await self._switched(rung, before, polls)
        return {name: now - clocks[name] for name, now in cpu_seconds_of(self.pids).items()}, polled

    async def _delivered(self) -> None:
        """Wait until the counters stay equal and all events are delivered: on a busy machine a
        relay may pause for longer than the time between two polls.
        """
        until, before, unchanged = time.monotonic() + self._delivered_within_s, None, 0
        while time.monotonic() < until:
            pages = await self.local.expositions()
            now = Counters.read(pages)
            unchanged = unchanged + 1 if now == before else 0
            placed = total(pages, PLACED, outcome="placed")
            done = not self._relays or total(pages, DELIVERED, result="sent") >= placed
            if done and unchanged >= self._unchanged_polls:
                return
            before = now
            await asyncio.sleep(self._poll_every_s)

    def _signal(self, rung: Rung) -> None:
        for process in self.local.processes:
            process.signal(signal.SIGRTMIN + RUNGS.index(rung))

    async def _switches(self) -> list[int]:
        return [facts["switches"] for facts in await self.local.facts()]

    async def _switched(self, rung: Rung, before: list[int], polls: int = 1) -> int:
        """Wait until every process has switched to this rung; the number of polls, >= `polls`."""
        until, polled = time.monotonic() + self._switched_within_s, 0
        while True:
            await asyncio.sleep(self._poll_every_s)
            polled += 1
            done = all(
                facts["rung"] == rung and facts["switches"] > last
                for facts, last in zip(await self.local.facts(), before, strict=True)
            )
            if done and polled >= polls:
                return polled
            if not done and time.monotonic() > until:
                raise PartDied(
                    f"not every part of {self.local.shape.name} is on rung {rung} after "
                    f"{self._switched_within_s:g} s"
                )

    async def counters(self) -> Counters:
        return Counters.read(await self.local.expositions())

    async def memory(self) -> Mapping[str, Memory]:
        return memory_of(self.pids)


class MeasuredShapes:
    """The measured shapes of an application by name, running while the `async with` lasts.

    They are the reference of `scale`, its second instance, the other shapes, the baseline if the
    application has one and, with the `otlp` address that spans are sent to, the two shapes of the
    ladder. `folder` takes stores and logs; with `stores_exist` they are kept from an earlier
    session. All processes share the core `cpu`.
    """

    def __init__(  # noqa: PLR0913  # all that makes a run
        self,
        app: Application,
        scale: Scale,
        folder: Path,
        *,
        cpu: int | None,
        otlp: str | None,
        stores_exist: bool = False,
    ) -> None:
        self.app = app
        self.scale = scale
        self._stores_exist = stores_exist
        self._folder = folder
        self._cpu = cpu
        one, *others = (
            shape_named(name, app=app.name) for name in (scale.reference, *scale.shapes)
        )
        self._shapes = {
            scale.reference: self._shape(scale.reference, one),
            scale.again: self._shape(scale.again, one),
            **{shape.name: self._shape(shape.name, shape) for shape in others},
        }
        if app.baseline is not None:
            alone = Shape(BASELINE, {"shop": ()}, {})
            command = (app.baseline, "serve")
            self._shapes[BASELINE] = self._shape(BASELINE, alone, command, {"SHAPE": ""})
        if otlp is not None and app.rungs is not None:
            spans, rungs = {"OTLP_ENDPOINT": otlp}, (app.rungs.module, "serve", "--rung")
            self._shapes[LOW] = self._shape(LOW, one, (*rungs, RUNGS[0]), spans)
            self._shapes[HIGH] = self._shape(HIGH, others[-1], (*rungs, NETWORK), spans)
        self._stack = AsyncExitStack()

    def _shape(
        self,
        name: str,
        shape: Shape,
        module: Sequence[str] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> MeasuredShape:
        home = self._folder / name
        home.mkdir(parents=True, exist_ok=True)
        local = LocalShape(
            shape,
            home,
            keys=self.app.keys,
            settings={**self.app.settings, **settings},
            app=self.app.name,
            module=module,
            cpu=self._cpu,
        )
        counted = self.app.counts_deliveries
        return MeasuredShape(
            local,
            self.app.keys,
            relays=counted and name != BASELINE,
            unchanged_polls=1 if counted else UNCHANGED_POLLS,
        )

    def __getitem__(self, name: str) -> MeasuredShape:
        return self._shapes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def for_rung(self, rung: Rung) -> tuple[str, MeasuredShape]:
        """The shape that can be switched to this rung, and its name."""
        name = LOW if RUNGS.index(rung) < RUNGS.index(NETWORK) else HIGH
        return name, self[name]

    @property
    def audited(self) -> tuple[str, ...]:
        """The names of those that the auditor can read: all but the baseline."""
        return tuple(name for name in self._shapes if name != BASELINE)

    async def __aenter__(self) -> Self:
        if not self._stores_exist:
            first, *others = self.audited
            await self[first].local.prepare(self.app.seed)
            for name in others:
                shutil.copytree(self._folder / first / "data", self._folder / name / "data")
        async with AsyncExitStack() as stack:
            began = await asyncio.gather(
                *(stack.enter_async_context(each.local) for each in self._shapes.values()),
                return_exceptions=True,  # so that none is still starting when others are stopped
            )
            for outcome in began:
                if isinstance(outcome, BaseException):
                    raise outcome
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
