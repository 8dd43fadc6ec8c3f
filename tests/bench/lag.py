"""How late the event loop of the monolith turns to a request, under the same load on each side.

It is measured from outside, so that it needs no metric of the same name: beside the orders, random
requests ask for a path that there is not. Their answer takes the loop of the part, no database and
no thread, so their latency is the loop's lag and a constant. The rate of the orders takes a third
of a core on the side that needs more.
"""

from functools import partial
from itertools import count

from bench.beside import IN_FLIGHT, SOME, compared
from bench.harness import Bench
from bench.orderer import Task
from bench.rows import Goal, Row
from bench.sides import MONOLITH, Side, sides

BUSY = 0.35
TRIAL = 60
WINDOW_S, PROBES = 5.0, 100.0
NOT_WORSE = Goal("ratio", "<=", 1)


async def measure(bench: Bench) -> list[Row]:
    """A row a database."""
    return [row for kind in bench.databases for row in await _with(bench, kind)]


async def _with(bench: Bench, kind: str) -> list[Row]:
    async with sides(bench, MONOLITH, kind) as all_sides:
        trials = []
        for side in all_sides.values():
            bench.step(f"lag, {kind}: starting {side.name}")
            await side.start()
            await side.drive()
            trials.append(await _cpu_s(side, bench.calls(TRIAL), bench.seed))
        rate = BUSY / max(trials)
        bench.samples[f"lag, {kind}, orders offered a second"] = {"both": [rate]}
        seconds = max(0.5, WINDOW_S * bench.scale)
        values = await bench.blocks(
            f"event loop's lag, 99th percentile, {kind}, ms",
            {
                name: partial(_p99_ms, side, rate, seconds, count(bench.seed))
                for name, side in all_sides.items()
            },
            share=SOME,
        )
        for side in all_sides.values():
            await side.check(side.expected)
    return [
        *compared(f"Event loop's lag, 99th percentile, monolith, {kind}, {rate:.0f} orders/s",
            "ms", values, base=NOT_WORSE,
        )
    ]  # fmt: skip  # a row reads as one


async def _cpu_s(side: Side, orders: int, seed: int) -> float:
    """Of an order."""
    before = side.cpu_s()
    await side.order(Task(seed=seed, orders=orders, in_flight=IN_FLIGHT))
    await side.drained()
    return (side.cpu_s() - before) / orders


async def _p99_ms(side: Side, rate: float, seconds: float, seeds: "count[int]") -> float:
    task = Task(seed=next(seeds), rate=rate, seconds=seconds, probes=PROBES)
    said = await side.order(task)
    await side.drained()
    return said["probe_p99_ms"]
