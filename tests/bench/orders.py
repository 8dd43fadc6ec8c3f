"""An order's latency in microservices and in the monolith, below the knee, on the same core.

Both are real processes with stores of their own, and the same seeded arrivals at a rate that takes
a third of the core in microservices; latency counts from the intended moment. Once with what the
bill measures with, once as shipped.
"""

import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import MappingProxyType

import numpy as np

from bench.harness import Bench, BenchFailed, cores, ratio
from bench.rows import Goal, Row
from borough_bill.customers import crowd
from borough_bill.generator import Generator, Job
from borough_bill.recording import Recording
from borough_bill.shapes import LocalShape, shape_named

MONOLITH, MICROSERVICES = "monolith", "microservices"
SEQUENTIAL_HOPS = 4
"""Of a placed order, one after another: the door asks orders; orders asks profiles and inventory at
the same time, then payments, then inventory. The relay's delivery comes after the answer."""
BUSY = 0.35
"""Of the core, in the shape that needs more of it: queues are still short."""
TRIAL_RATE = 20.0
"""Orders a second while that is found out, and the processes get warm."""
WINDOW_S, WARM_UP_S = 3.0, 0.4
SETTINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "no PBKDF2, synchronous=NORMAL": {
            "PBKDF2_ITERATIONS": "0", "SQLITE_SYNCHRONOUS": "NORMAL", "TRACE_RATIO": "0"
        },
        "as shipped": {},
    }
)  # fmt: skip  # a plan a line


async def measure(bench: Bench) -> list[Row]:
    """For each set of settings the ratio of medians, and what a sequential hop adds."""
    return [row for name in SETTINGS for row in await _with(bench, name)]


async def _with(bench: Bench, name: str) -> list[Row]:
    server_cpu, generator_cpu = cores()
    keys = {customer.name: customer.key for customer in crowd(50)}
    async with AsyncExitStack() as stack:
        towns = {}
        for shape in (MONOLITH, MICROSERVICES):
            bench.step(f"orders, {name}: starting {shape}")
            folder = bench.folder / f"{shape}, {name}"
            folder.mkdir()
            town = LocalShape(
                shape_named(shape), folder, keys=keys, settings=SETTINGS[name], cpu=server_cpu
            )
            await town.prepare()
            towns[shape] = await stack.enter_async_context(town)
        generator = await stack.enter_async_context(Generator(generator_cpu))
        windows = {shape: _window(bench, town, keys) for shape, town in towns.items()}
        bench.step(f"orders, {name}: looking for a rate below the knee")
        trials = [await _trial(generator, window) for window in windows.values()]
        update = {"rate": BUSY / max(trials)}
        bench.samples[f"orders, {name}, orders offered a second"] = {"both": [update["rate"]]}
        values = await bench.blocks(
            f"orders, {name}, median in ms",
            {
                shape: partial(_median_ms, generator, window.model_copy(update=update))
                for shape, window in windows.items()
            },
        )
    return _rows(name, values[MICROSERVICES], values[MONOLITH])


def _window(bench: Bench, town: LocalShape, keys: Mapping[str, str]) -> Job:
    """The same arrivals and the same baskets for every shape."""
    return Job(
        doors={"": town.addresses("/v1/orders")},
        workload="orders",
        rate=TRIAL_RATE,
        seconds=max(0.5, WINDOW_S * bench.scale),
        warm_up_s=WARM_UP_S,
        seed=bench.seed,
        customers=dict(keys),
        pids=town.pids,
        out=bench.folder / f"{town.shape.name}.npz",
        set_up=False,
    )


async def _trial(generator: Generator, window: Job) -> float:
    """Make the customers known, and answer the CPU seconds an order takes."""
    recording = await _orders(generator, window.model_copy(update={"set_up": True}))
    return sum(recording.header.cpu.values()) / recording.served


async def _median_ms(generator: Generator, window: Job) -> float:
    return float(np.median((await _orders(generator, window)).latencies())) * 1_000


async def _orders(generator: Generator, window: Job) -> Recording:
    """Raises BenchFailed when orders fail: errors are cheap."""
    recording = await generator.run(window)
    if recording.failed:
        raise BenchFailed(f"{recording.failed} orders failed: {recording.header.reasons}")
    return recording


def _rows(name: str, split: list[float], whole: list[float]) -> list[Row]:
    added = [(one - other) / SEQUENTIAL_HOPS for one, other in zip(split, whole, strict=True)]
    return [
        Row.judged(
            f"An order's median in microservices, {name}", "ms", statistics.median(split),
            peer=statistics.median(whole), peer_name="our monolith",
            ratio=ratio(split, whole), goal=Goal("ratio", "<=", 2),
        ),
        Row.judged(
            f"A sequential hop adds to that median, {name}", "ms", statistics.median(added),
            goal=Goal("ours", "<=", 0.5),
        ),
    ]  # fmt: skip  # a row reads as one
