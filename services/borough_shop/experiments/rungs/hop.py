"""The cost of one call on each rung: its duration for the caller, and the CPU of both processes.

The rungs are measured in turn, in blocks, each block in a random order, so that a change of the
machine's speed affects all of them. CPU is that of whole processes, so the threads that export
spans are counted, up to the last span. The flush of spans at the end is done on every rung with a
network, traced or not, so that it cancels out in the difference of two rungs.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import ceil

import uvloop

from borough.config import load
from borough.errors import BoroughError
from borough_shop.app import APP
from borough_shop.experiments.rungs.callee import QUESTION, Callee, FromMemory, HopFailed, callee
from borough_shop.experiments.rungs.ladder import NETWORK, RATIOS, RUNGS, Standing, Switch, index_of
from borough_shop.experiments.rungs.part import RungBuilder
from borough_shop.inventory.contract import Inventory
from borough_telemetry import OtlpExporter, Telemetry
from borough_telemetry.signals import SPANS_DROPPED

START = "T6"
"""The rung on which both processes start."""
WARM_UP_SHARE = 0.1
"""Warm-up calls before each measurement, as a share of the measured calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rungs, repetitions and CPUs of a measurement. CPUs None: not pinned.

    `pause`, in seconds, follows every call, since a callee that is called rarely has cold caches.
    """

    rungs: tuple[str, ...] = RUNGS
    blocks: int = 1
    calls: int = 3_000
    in_flight: int = 1
    pause: float = 0.0
    seed: int = 1
    otlp: str = ""
    caller_cpu: int | None = None
    callee_cpu: int | None = None

    def check(self) -> None:
        """Raises HopFailed or WrongSettings if it cannot be measured."""
        for rung in self.rungs:
            index_of(rung)
        if (traced := [rung for rung in self.rungs if rung in RATIOS]) and not self.otlp:
            raise HopFailed(f"{', '.join(traced)} exports spans: name a collector with --otlp")
        usable = os.sched_getaffinity(0)
        for name, cpu in (("caller", self.caller_cpu), ("callee", self.callee_cpu)):
            if cpu is not None and cpu not in usable:
                raise HopFailed(f"--{name}-cpu {cpu}: the CPUs to be had are {sorted(usable)}")


def run(plan: Plan, write: Callable[[str], object]) -> None:
    """Measure; `write` is called with a line of JSON per block and rung. Raises HopFailed."""
    plan.check()
    if plan.caller_cpu is not None:
        os.sched_setaffinity(0, {plan.caller_cpu})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(plan, write))


async def measure(plan: Plan, write: Callable[[str], object]) -> None:
    """As `run`, on the running loop, without pinning this process."""
    order = random.Random(plan.seed)  # noqa: S311  # chance for experiments, not for secrets
    async with AsyncExitStack() as stack:
        far = None
        if any(index_of(rung) >= NETWORK for rung in plan.rungs):
            far = await stack.enter_async_context(
                callee(START, cpu=plan.callee_cpu, otlp=plan.otlp)
            )
        caller = Caller(far, plan.otlp)
        stack.push_async_callback(caller.close)
        for block in range(plan.blocks):
            for rung in order.sample(plan.rungs, len(plan.rungs)):
                try:
                    measured = await caller.measure(rung, plan.calls, plan.in_flight, plan.pause)
                except BoroughError as error:
                    what = f"fails a call on rung {rung} ({error})"
                    raise far.failed(what) if far else HopFailed(f"the service {what}") from error
                write(json.dumps({"block": block, **measured}))


class Caller:
    """The caller, which calls the capability here and in the callee. Needs a running loop."""

    def __init__(self, far: Callee | None, endpoint: str) -> None:
        export = OtlpExporter(endpoint) if endpoint else None
        self._telemetry = Telemetry("caller", export=export, log_level="critical")
        standing = Standing(START)
        self._switch = Switch(standing, self._telemetry)
        self._callee = far
        urls = {Inventory.name: (far.url if far else "",)}
        settings = load(APP.settings).model_copy(update={"peers": urls})
        self._part = RungBuilder(APP, settings, self._telemetry, standing=standing)
        self._near = self._part.local(Inventory, FromMemory())
        self._far = self._part.ask(Inventory, from_door=True) if far else self._near

    async def measure(
        self, rung: str, calls: int, in_flight: int, pause: float = 0.0
    ) -> dict[str, str | float]:
        """The cost of one of `calls`. Raises the BoroughError of a failed call, and HopFailed."""
        over_network = index_of(rung) >= NETWORK
        far = self._callee if over_network else None
        ask = (self._far if over_network else self._near).reserve
        if far is not None:
            await far.switch(rung)
        self._switch.step(rung)
        times: list[float] = []

        async def one_by_one(count: int) -> None:
            now = time.perf_counter
            for _ in range(count):
                start = now()
                await ask(QUESTION)
                times.append(now() - start)
                if pause:
                    await asyncio.sleep(pause)

        async def all_at_once(count: int) -> None:
            shares = [len(range(n, count, in_flight)) for n in range(in_flight)]
            await asyncio.gather(*map(one_by_one, shares))

        await all_at_once(max(ceil(calls * WARM_UP_SHARE), 2 * in_flight))
        await self._export(rung, far)
        times.clear()
        before, far_before = time.process_time(), far.cpu_s() if far else 0.0
        await all_at_once(calls)
        await self._export(rung, far)
        cpu, far_cpu = time.process_time() - before, far.cpu_s() - far_before if far else 0.0
        if rung in RATIOS:
            await self._check_spans()
        return {
            "rung": rung,
            "in_flight": in_flight,
            "pause_ms": pause * 1_000,
            "calls": calls,
            **{name: round(seconds * 1e6, 3) for name, seconds in summary(times).items()},
            "cpu_caller_us": round(cpu / calls * 1e6, 3),
            "cpu_callee_us": round(far_cpu / calls * 1e6, 3),
        }

    async def _export(self, rung: str, far: Callee | None) -> None:
        """Export every span of both processes."""
        await asyncio.to_thread(self._telemetry.close)
        if far is not None:
            await far.switch(rung)

    async def _check_spans(self) -> None:
        """Raises HopFailed after dropped spans, which cost less than exported ones."""
        expositions = [self._telemetry.exposition()]
        if self._callee is not None:
            expositions.append(await self._callee.ops("/metrics"))
        if lines := [line for exposition in expositions for line in lost_spans(exposition)]:
            raise HopFailed(f"spans were dropped and not exported: {', '.join(lines)}")

    async def close(self) -> None:
        """Close the connections, and export the remaining spans."""
        await self._part.close()
        await asyncio.to_thread(self._telemetry.close)


def summary(times: Sequence[float]) -> dict[str, float]:
    """Mean and quantiles (nearest rank), in the unit of the times."""
    ordered = sorted(times)
    return {
        "mean_us": sum(ordered) / len(ordered),
        "p50_us": ordered[ceil(0.50 * len(ordered)) - 1],
        "p99_us": ordered[ceil(0.99 * len(ordered)) - 1],
    }


def lost_spans(exposition: bytes) -> list[str]:
    """The series of dropped spans that are not 0."""
    lines, dropped = exposition.decode().splitlines(), f"{SPANS_DROPPED.name}_total{{"
    return [line for line in lines if line.startswith(dropped) and float(line.split()[1])]
