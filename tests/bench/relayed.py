"""Events that the monolith relays a second, from an outbox that is full when it starts.

While the orders are placed every delivery fails on purpose; the part is then stopped until every
event is due again. In each block it starts on a copy of that store without the fault. The time
counts from the first answer at /metrics, which comes a little before the relay begins, until the
last event, on all cores.
"""

import asyncio
import json
import time
from functools import partial

from bench.beside import compared
from bench.databases import Database
from bench.harness import Bench, BenchFailed
from bench.orderer import Task
from bench.rows import Goal, Row
from bench.sides import MONOLITH, Side, sides

ORDERS, IN_FLIGHT = 2_000, 8
FEWEST = 400
"""Fewer could be relayed before the first answer is seen."""
BLOCKS = 1.2
"""Times the usual number: six are the fewest that have an interval."""
FAULTS = json.dumps({"notifications": {"error_rate": 1}})
INTERVAL_S, LEASE_S = "60", "1"
DUE_AGAIN_S = 6.0
"""The longest pause between two tries is 5 s, and the lease is 1 s."""
MORE = Goal("ratio", ">=", 10)


async def measure(bench: Bench, due_again_s: float = DUE_AGAIN_S) -> list[Row]:
    """A row a database."""
    return [row for kind in bench.databases for row in await _with(bench, kind, due_again_s)]


async def _with(bench: Bench, kind: str, due_again_s: float) -> list[Row]:
    orders = max(bench.calls(ORDERS), FEWEST)
    async with sides(bench, MONOLITH, kind) as all_sides:
        for side in all_sides.values():
            bench.step(f"relay, {kind}: filling the outbox of {side.name}")
            await side.start(faults=FAULTS, relay_interval=INTERVAL_S, relay_lease=LEASE_S)
            await side.drive()
            await side.order(Task(seed=bench.seed, orders=orders, in_flight=IN_FLIGHT))
            await side.stop()
        await asyncio.sleep(due_again_s)
        values = await bench.blocks(
            f"events relayed a second, {kind}",
            {name: partial(_drain, side, orders) for name, side in all_sides.items()},
            share=BLOCKS,
        )
        for side in all_sides.values():
            await _drain(side, orders, side.store)
            await side.check(orders)
    return [*compared(f"Events relayed a second, monolith, {kind}", "events/s", values, base=MORE)]


async def _drain(side: Side, orders: int, store: Database | None = None) -> float:
    """Events a second. Raises BenchFailed."""
    await side.start_counting(store or side.store.copy("drained"))
    begun = time.perf_counter()
    seen = await side.delivered()
    if seen == orders:
        raise BenchFailed(f"{side.name} relayed {orders} events before it was asked for the first")
    await side.until_delivered(orders)
    seconds = time.perf_counter() - begun
    await side.stop()
    return (orders - seen) / seconds
