"""What one core does in the monolith: orders a second flat out, and goodput with a bounded tail.

The part is pinned to one core; the customers, and PostgreSQL where it is used, have the other. An
order counts when its event was delivered, so that a relay that falls behind wins nothing. Goodput
is the highest rate of random arrivals at which every order is placed and the 99th percentile of
their latency, from the intended moment, is at most 100 ms; it is looked for by halving.
"""

import time
from functools import partial
from itertools import count

from bench.beside import SOME, compared
from bench.harness import Bench
from bench.orderer import Task
from bench.rows import Goal, Row
from bench.sides import MONOLITH, Side, sides
from borough_bill.targets.machine import Placement
from borough_bill.targets.processes import pin

IN_FLIGHT = 16
ORDERS, WARM_UP = 100, 60
MORE = Goal("ratio", ">=", 4)
TAIL_MS = 100.0
STEPS, WINDOW_S = 5, 4.0


async def measure(bench: Bench) -> list[Row]:
    """Two rows a database and peer."""
    return [row for kind in bench.databases for row in await _with(bench, kind)]


async def _with(bench: Bench, kind: str) -> list[Row]:
    here = Placement.here()
    async with sides(bench, MONOLITH, kind, common=True) as all_sides:
        for side in all_sides.values():
            bench.step(f"one core, {kind}: starting {side.name}")
            if side.store.server is not None and here.generator is not None:
                pin(side.store.server, here.generator)
            await side.start()
            side.pin(here.subjects)
            await side.drive()
            await side.order(
                Task(seed=bench.seed, orders=bench.calls(WARM_UP), in_flight=IN_FLIGHT)
            )
            await side.drained()
        values = await bench.blocks(
            f"orders/s on one core, {kind}",
            {
                name: partial(_flat_out, side, bench.calls(ORDERS), count(bench.seed))
                for name, side in all_sides.items()
            },
            share=SOME,
        )
        goodput = {
            name: [await _goodput(bench, side, max(values[name]))]
            for name, side in all_sides.items()
        }
        for side in all_sides.values():
            await side.check(side.expected)
    where = f"monolith, {kind}"
    bench.samples[f"goodput a core, {kind}, orders/s"] = goodput
    return [
        *compared(f"Orders a second on one core, {where}, {IN_FLIGHT} in flight", "orders/s",
            values, base=MORE,
        ),
        *compared(f"Goodput a core with p99 <= {TAIL_MS:.0f} ms, {where}", "orders/s", goodput
        ),
    ]  # fmt: skip  # a row reads as one


async def _flat_out(side: Side, orders: int, seeds: "count[int]") -> float:
    start = time.perf_counter()
    await side.order(Task(seed=next(seeds), orders=orders, in_flight=IN_FLIGHT))
    await side.until_delivered(side.expected)
    return orders / (time.perf_counter() - start)


async def _goodput(bench: Bench, side: Side, most: float) -> float:
    """Orders a second; 0 where no rate that was tried holds."""
    low, high = 0.0, most
    for step in range(STEPS):
        rate = (low + high) / 2 if step else high * 0.75
        bench.step(f"goodput of {side.name}: {rate:.0f} orders/s")
        task = Task(seed=bench.seed + step, rate=rate, seconds=max(0.5, WINDOW_S * bench.scale))
        said = await side.order(task, all_placed=False)
        await side.drained(doubtful=said["failed"] > 0)
        if said["failed"] or said["p99_ms"] > TAIL_MS:
            high = rate
        else:
            low = rate
    return low
