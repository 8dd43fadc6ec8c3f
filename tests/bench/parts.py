"""What a part of microservices costs by being there: its memory at rest, its time to ready.

A bare FastAPI app is restarted in turn with them, started and asked in the same way. All start on
any core, as a user's do.
"""

import asyncio
import statistics
import time
from functools import partial

from bench.harness import ROOT, Bench, BenchFailed, ratios
from bench.rows import Goal, Row
from borough_bill.targets.attribution import memory
from borough_bill.targets.processes import HOST, Ports, Process, outside
from borough_bill.targets.shapes import LocalShape, shape_named

LOOK_EVERY_S = 0.005
WITHIN_S = 60.0
BLOCKS = 0.6
"""Of the usual number: a start is like the next."""
BARE = "bare FastAPI part"
MEMORY, READY = Goal("ours", "<=", 100), Goal("ours", "<=", 1.5)


async def measure(bench: Bench) -> list[Row]:
    """Two rows a part. Each is restarted once a block while the others stand by, since a door is
    not ready before its peers are; its memory is what it held before, after seconds of rest.
    """
    folder = bench.folder / "parts"
    folder.mkdir()
    ports = Ports()
    bare = Process(
        BARE, 0, (str(ports.ops),), ports=ports, log=folder / "bare.log", module=("bench.bare",),
        environment=outside() | {"PYTHONPATH": str(ROOT / "tests")},
    )  # fmt: skip  # what, where, and with what
    local = LocalShape(shape_named("microservices"), folder)
    parts = {process.part: process for process in (*local.processes, bare)}
    rests: dict[str, list[float]] = {part: [] for part in parts}

    async def restart(process: Process) -> float:
        rests[process.part].append(memory(process.pid).rss_mib)
        await process.terminate(WITHIN_S)
        return await seconds_to_ready(process)

    bench.step("parts: starting them")
    await local.prepare()
    async with local:
        await seconds_to_ready(bare)
        try:
            starts = await bench.blocks(
                "part, seconds to ready",
                {part: partial(restart, process) for part, process in parts.items()},
                share=BLOCKS,
            )
        finally:
            await bare.kill()
            ports.release()
    bench.samples["part, MiB at rest"] = rests
    return [
        *_rows("Memory at rest (RSS)", "MiB", rests, MEMORY),
        *_rows("Time from process start to ready", "s", starts, READY),
    ]


def _rows(name: str, unit: str, values: dict[str, list[float]], goal: Goal) -> list[Row]:
    """One a part of ours, beside the bare one."""
    bare = values[BARE]
    return [
        Row.judged(
            f"{name}, {part}", unit, statistics.median(ours),
            peer=statistics.median(bare), peer_name=BARE, ratios=ratios(ours, bare), goal=goal,
        )
        for part, ours in values.items()
        if part != BARE
    ]  # fmt: skip  # a row reads as one


async def seconds_to_ready(process: Process) -> float:
    """Start it, and wait until /readyz says 200. Raises BenchFailed where it never does."""
    start = time.perf_counter()
    await process.start()
    while not await _ready(process.ports.ops):
        if not process.running or time.perf_counter() - start > WITHIN_S:
            raise BenchFailed(f"part {process.name} is not ready:\n{process.log_tail()}")
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
