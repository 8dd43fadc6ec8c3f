"""Local's price: what asking a capability in this process costs over calling its method."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

import uvloop

from bench.harness import Bench
from bench.messages import QUESTION
from bench.rows import Goal, Row
from borough.transport.calls import local
from borough_shop.experiments.rungs.callee import FromMemory
from borough_shop.inventory.contract import Inventory, Reservation, Reserve
from borough_telemetry import Telemetry

CALLS = 50_000


async def measure(bench: Bench) -> list[Row]:
    """One row: the difference, in microseconds a call, outside any trace."""
    service = FromMemory()
    asked = local(Inventory, service, Telemetry("bench"))
    calls = bench.calls(CALLS)

    def timed(
        method: Callable[[Reserve], Awaitable[Reservation]],
    ) -> Callable[[], Awaitable[float]]:
        return partial(asyncio.to_thread, _microseconds, method, calls)

    values = await bench.blocks(
        "local call", {"local": timed(asked.reserve), "plain": timed(service.reserve)}
    )
    plain = statistics.median(values["plain"])
    added = statistics.median(
        one - other for one, other in zip(values["local"], values["plain"], strict=True)
    )
    return [
        Row.judged(
            "Local unsampled, over a plain method call", "us/call", added,
            peer=plain, peer_name="the plain call", goal=Goal("ours", "<=", 2),
        )
    ]  # fmt: skip  # a row reads as one


def _microseconds(method: Callable[[Reserve], Awaitable[Reservation]], calls: int) -> float:
    """A call, in CPU time of this thread, on an event loop of its own."""

    async def run() -> float:
        start = time.thread_time()
        for _ in range(calls):
            await method(QUESTION)
        return (time.thread_time() - start) / calls * 1e6

    return uvloop.run(run())
