"""What a part of microservices costs by being there: its memory at rest, its time to ready."""

import asyncio
import statistics
import time
from functools import partial

from bench.harness import Bench, BenchFailed, cores
from bench.rows import Goal, Row
from borough_bill.attribution import memory
from borough_bill.processes import HOST, Process
from borough_bill.shapes import LocalShape, shape_named

LOOK_EVERY_S = 0.005
WITHIN_S = 60.0
ENOUGH = 3
REST_S = 1.0
"""By then a part has done what its start left to do."""


async def measure(bench: Bench) -> list[Row]:
    """The worst of all parts, each restarted once a block while the others stand by: a door is not
    ready before its peers are.
    """
    folder = bench.folder / "parts"
    folder.mkdir()
    town = LocalShape(shape_named("microservices"), folder, cpu=cores()[0])
    rests: dict[str, list[float]] = {process.part: [] for process in town.processes}

    async def restart(process: Process) -> float:
        await process.terminate(WITHIN_S)
        seconds = await _seconds_to_ready(process)
        await asyncio.sleep(REST_S)
        rests[process.part].append(memory(process.pid).rss_mib)
        return seconds

    bench.step("parts: starting them")
    await town.prepare()
    async with town:
        starts = await bench.blocks(
            "part, seconds to ready",
            {process.part: partial(restart, process) for process in town.processes},
            at_most=ENOUGH,
        )
    bench.samples["part, MiB at rest"] = rests
    return [
        _worst("Memory at rest (RSS)", "MiB", rests, Goal("ours", "<=", 100)),
        _worst("Time from process start to ready", "s", starts, Goal("ours", "<=", 1.5)),
    ]


def _worst(name: str, unit: str, values: dict[str, list[float]], goal: Goal) -> Row:
    medians = {part: statistics.median(seen) for part, seen in values.items()}
    part = max(medians, key=lambda part: medians[part])
    return Row.judged(f"{name} of the worst part, {part}", unit, medians[part], goal=goal)


async def _seconds_to_ready(process: Process) -> float:
    start = time.perf_counter()
    await process.start()
    while not await _ready(process.ports.ops):
        if not process.running or time.perf_counter() - start > WITHIN_S:
            raise BenchFailed(f"part {process.name} is not ready:\n{process.words()}")
        await asyncio.sleep(LOOK_EVERY_S)
    return time.perf_counter() - start


async def _ready(port: int) -> bool:
    """Whether /readyz says 200; asked with as little of the machine as can be."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
    status = await reader.readline()
    writer.close()
    return b" 200 " in status
