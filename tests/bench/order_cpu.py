"""An order's CPU, of all parts and of PostgreSQL's server, until its event is delivered.

A closed loop keeps four orders in flight on all cores. The clocks of the processes are read before
the first order and after the last event was delivered. What a side does while it waits for its turn
is not counted, nor is the export of the spans that a window leaves in the batch: 0.1 ms an order at
a512365, and 0.3 ms the common way, which has four times as many.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from bench.beside import IN_FLIGHT, MANY, compared
from bench.databases import POSTGRESQL
from bench.harness import Bench
from bench.orderer import Task
from bench.rows import Goal, Row
from bench.sides import MONOLITH, Side, sides

ORDERS, WARM_UP = 40, 60
LESS, COMMON = Goal("ratio", "<=", 0.25), Goal("ratio", "<=", 0.7)
NO_MORE_SQL = Goal("ratio", "<=", 1.1)


async def measure(bench: Bench) -> list[Row]:
    """For each shape and database ours beside the commit and, in the monolith, the common way."""
    return [
        row
        for shape in bench.shapes
        for kind in bench.databases
        for row in await _with(bench, shape, kind)
    ]


async def _with(bench: Bench, shape: str, kind: str) -> list[Row]:
    where = f"{shape}, {kind}"
    whole = shape == MONOLITH
    async with sides(bench, shape, kind, common=whole) as all_sides:
        servers: dict[str, list[float]] = {name: [] for name in all_sides}
        for side in all_sides.values():
            bench.step(f"{where}: starting {side.name}")
            await side.start()
            await side.drive()
            await side.order(
                Task(seed=bench.seed, orders=bench.calls(WARM_UP), in_flight=IN_FLIGHT)
            )
            await side.drained()
        values = await bench.blocks(
            f"an order's CPU, {where}, ms",
            {name: _candidate(bench, side, servers[name]) for name, side in all_sides.items()},
            share=MANY,
        )
        for side in all_sides.values():
            await side.check(side.expected)
    rows = [
        *compared(f"An order's CPU, {where}, {IN_FLIGHT} in flight", "ms CPU/order", values,
            base=LESS if whole else None, common=COMMON,
        )
    ]  # fmt: skip  # a row reads as one
    if kind == POSTGRESQL:
        bench.samples[f"PostgreSQL's CPU an order, {where}, ms"] = servers
        rows += compared(
            f"PostgreSQL's own CPU an order, {where}, {IN_FLIGHT} in flight", "ms CPU/order",
            servers, base=NO_MORE_SQL if whole else None,
        )  # fmt: skip  # a row reads as one
    return rows


def _candidate(bench: Bench, side: Side, server: list[float]) -> Callable[[], Awaitable[float]]:
    return partial(_milliseconds, side, bench.calls(ORDERS), bench.seed, server)


async def _milliseconds(side: Side, orders: int, seed: int, server: list[float]) -> float:
    """An order's CPU in the parts; that of the database's server goes to the list."""
    parts_s, server_s = side.cpu_s(), side.store.cpu_s()
    # as many blocks were measured before: the same orders for every side of a block
    await side.order(Task(seed=seed + len(server) + 1, orders=orders, in_flight=IN_FLIGHT))
    await side.drained()
    server.append((side.store.cpu_s() - server_s) / orders * 1_000)
    return (side.cpu_s() - parts_s) / orders * 1_000
