"""What the client between our parts saves, and what our telemetry saves, each without the other.

Every caller asks the same bare app, and only the caller's CPU counts, its spans exported.
"""

import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

from bench.harness import Bench, Child, child, collector, ratios
from bench.rows import Row
from borough_bill.targets.machine import Placement

IN_FLIGHT = (16, 1)
CALLS, WARM_UP = 1_500, 200
CALLERS = {
    "our client, our telemetry": ("ours", "ours"),
    "aiohttp, our telemetry": ("aiohttp", "ours"),
    "httpx, our telemetry": ("httpx", "ours"),
    "aiohttp, its official instrumentor": ("aiohttp", "standard"),
    "httpx, its official instrumentor": ("httpx", "standard"),
}
PAIRS = (
    ("our client, our telemetry", "aiohttp, our telemetry"),
    ("our client, our telemetry", "httpx, our telemetry"),
    ("aiohttp, our telemetry", "aiohttp, its official instrumentor"),
    ("httpx, our telemetry", "httpx, its official instrumentor"),
)
"""Each differs in one thing."""


async def measure(bench: Bench) -> list[Row]:
    """A row for each pair and number of calls in flight."""
    here, rows = Placement.here(), []
    async with AsyncExitStack() as stack:
        otlp = await stack.enter_async_context(collector(bench))
        app = child(bench, "bench.app", "--stack", "bare", cpu=here.subjects)
        url = (
            f"http://127.0.0.1:{(await (await stack.enter_async_context(app)).read())['port']:.0f}"
        )
        callers: dict[str, Child] = {}
        for name, (client, telemetry) in CALLERS.items():
            words = ("bench.caller", client, url, "--otlp", otlp, "--telemetry", telemetry)
            callers[name] = await stack.enter_async_context(
                child(bench, *words, cpu=here.generator)
            )
            await callers[name].read()
            await callers[name].ask(f"{bench.calls(WARM_UP)} {IN_FLIGHT[0]}")
        for in_flight in IN_FLIGHT:
            values = await bench.blocks(
                f"caller, {in_flight} in flight",
                {
                    name: partial(_microseconds, caller, bench.calls(CALLS), in_flight)
                    for name, caller in callers.items()
                },
                share=3,
            )
            rows += [_row(in_flight, one, other, values) for one, other in PAIRS]
    return rows


async def _microseconds(caller: Child, calls: int, in_flight: int) -> float:
    """The caller's CPU a call."""
    run = await caller.ask(f"{calls} {in_flight}")
    return run["cpu_s"] / calls * 1e6


def _row(in_flight: int, one: str, other: str, values: Mapping[str, list[float]]) -> Row:
    return Row.judged(
        f"The caller's CPU, {in_flight} in flight, all traced and exported: {one}", "us CPU/call",
        statistics.median(values[one]), peer=statistics.median(values[other]), peer_name=other,
        ratios=ratios(values[one], values[other]),
    )  # fmt: skip  # a row reads as one
