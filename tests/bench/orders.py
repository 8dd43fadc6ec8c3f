"""An order's latency in microservices and in the monolith, below the knee.

Both are real processes with stores of their own; latency counts from the intended moment. The same
orders come to both, others in each block, at a constant pace that takes a third of a core in
microservices: none waits for another, and what is measured is an order and no queue. On all cores,
as a user runs the shape, and on one, where no process works while another does; once with what the
bill measures with, once as shipped.
"""

import asyncio
import os
import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType

import numpy as np

from bench.harness import Bench, BenchFailed, ratios
from bench.rows import Goal, Row
from borough_bill.load.customers import make_customers
from borough_bill.load.generator import Generator, Job
from borough_bill.load.recording import Recording
from borough_bill.load.schedule import CONSTANT
from borough_bill.targets.machine import Placement
from borough_bill.targets.shapes import LocalShape, shape_named

MONOLITH, MICROSERVICES = "monolith", "microservices"
SEQUENTIAL_HOPS = 4
"""Of a placed order, one after another: the door asks orders; orders asks profiles and inventory at
the same time, then payments, then inventory. The relay's delivery comes after the answer."""
BUSY = 0.35
"""Of a core, in the shape that needs more of it: an order is answered before the next one comes."""
TRIAL_RATE = 20.0
"""Orders a second while that is found out, and the processes get warm."""
TRIAL_S, WINDOW_S, WARM_UP_S = 1.0, 2.0, 0.3
BLOCKS = 0.8
"""Of the usual number: constant arrivals hardly differ."""
SETTINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "no PBKDF2, synchronous=NORMAL": {
            "PBKDF2_ITERATIONS": "0", "SQLITE_SYNCHRONOUS": "NORMAL", "TRACE_RATIO": "0"
        },
        "as shipped": {},
    }
)  # fmt: skip  # a plan a line
ALL, ONE = "on all cores, as a user runs it", "on one core"


async def measure(bench: Bench) -> list[Row]:
    """For each set of settings the ratio of medians, and what a sequential hop adds."""
    return [row for name in SETTINGS for row in await _with(bench, name)]


async def _with(bench: Bench, name: str) -> list[Row]:
    keys = {customer.name: customer.key for customer in make_customers(50)}
    async with AsyncExitStack() as stack:
        local_shapes = {}
        for shape in (MONOLITH, MICROSERVICES):
            folder = bench.folder / f"{shape}, {name}"
            folder.mkdir()
            local_shapes[shape] = LocalShape(
                shape_named(shape), folder, keys=keys, settings=SETTINGS[name]
            )
        bench.step(f"orders, {name}: starting {' and '.join(local_shapes)}")
        await asyncio.gather(*(local.prepare() for local in local_shapes.values()))
        for local in local_shapes.values():
            await stack.enter_async_context(local)
        generator = await stack.enter_async_context(Generator(Placement.here().generator))
        windows = {shape: _window(bench, local, keys) for shape, local in local_shapes.items()}
        bench.step(f"orders, {name}: looking for a rate below the knee")
        trials = [await _trial(generator, window) for window in windows.values()]
        rate = BUSY / max(trials)
        bench.samples[f"orders, {name}, orders offered a second"] = {"both": [rate]}
        values = await bench.blocks(
            f"orders, {name}, median in ms",
            {
                f"{shape} {where}": partial(
                    _median_ms,
                    generator,
                    window.model_copy(update={"rate": rate}),
                    cores,
                    count(bench.seed),  # the same orders for all candidates of a block
                )
                for where, cores in _places().items()
                for shape, window in windows.items()
            },
            share=BLOCKS,
        )
    return [
        row
        for where in _places()
        for row in _rows(
            name, where, values[f"{MICROSERVICES} {where}"], values[f"{MONOLITH} {where}"]
        )
    ]


def _places() -> dict[str, set[int]]:
    """The cores of a shape. The generator has its own where there are more than two."""
    here, place = os.sched_getaffinity(0), Placement.here()
    if place.subjects is None:
        return {ALL: here, ONE: here}
    return {ALL: here if len(here) == 2 else here - {place.generator}, ONE: {place.subjects}}


def _settle(pid: int, cores: set[int]) -> None:
    """Keep a process at rest, with all its threads, on these cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread.name), cores)


def _window(bench: Bench, local: LocalShape, keys: Mapping[str, str]) -> Job:
    """The same arrivals and the same baskets for every shape."""
    return Job(
        doors={"": local.addresses("/v1/orders")},
        workload="orders",
        arrivals=CONSTANT,
        rate=TRIAL_RATE,
        seconds=max(0.5, WINDOW_S * bench.scale),
        warm_up_s=WARM_UP_S,
        seed=bench.seed,
        customers=dict(keys),
        pids=local.pids,
        out=bench.folder / f"{local.shape.name}.npz",
        set_up=False,
    )


async def _trial(generator: Generator, window: Job) -> float:
    """Make the customers known, and answer the CPU seconds an order takes."""
    trial = {"set_up": True, "seconds": min(TRIAL_S, window.seconds)}
    recording = await _orders(generator, window.model_copy(update=trial))
    return sum(recording.header.cpu.values()) / recording.served


async def _median_ms(
    generator: Generator, window: Job, cores: set[int], seeds: "count[int]"
) -> float:
    for pid in window.pids.values():
        _settle(pid, cores)
    recording = await _orders(generator, window.model_copy(update={"seed": next(seeds)}))
    return float(np.median(recording.latencies())) * 1_000


async def _orders(generator: Generator, window: Job) -> Recording:
    """Raises BenchFailed when orders fail: errors are cheap."""
    recording = await generator.run(window)
    if recording.failed:
        raise BenchFailed(f"{recording.failed} orders failed: {recording.header.reasons}")
    return recording


def _rows(name: str, where: str, split: list[float], whole: list[float]) -> list[Row]:
    added = [(one - other) / SEQUENTIAL_HOPS for one, other in zip(split, whole, strict=True)]
    how = f"{where}, constant arrivals below the knee, {name}"
    return [
        Row.judged(
            f"An order's median in microservices {how}", "ms", statistics.median(split),
            peer=statistics.median(whole), peer_name="our monolith",
            ratios=ratios(split, whole), goal=Goal("ratio", "<=", 2),
        ),
        Row.judged(
            f"That median less the monolith's, by {SEQUENTIAL_HOPS} sequential hops, {how}", "ms",
            statistics.median(added), goal=Goal("ours", "<=", 0.5) if where == ALL else None,
        ),
    ]  # fmt: skip  # a row reads as one
