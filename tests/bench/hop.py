"""One hop's CPU, caller and callee together, with everything on and the export of spans counted.

Ours has deadline, retry, breaker and balancing besides; the peers have what their documents give
them. Both ends are pinned; the collector that takes the spans is a third process and not counted.
A span that is dropped, at either end of any candidate, ends the bench.
"""

import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bench.harness import OURS, Bench, Build, Child, child, collector, ratios
from bench.profiles import profile_of
from bench.rows import Goal, Row
from borough_bill.targets.machine import Placement

IN_FLIGHT = (16, 1)
CALLS = {"ours": 2_000, "httpx": 400, "aiohttp": 800}
"""About a second each."""
WARM_UP = 200
PEERS = {
    "httpx": ("httpx -> FastAPI, official instrumentors", Goal("ratio", "<=", 0.1)),
    "aiohttp": ("aiohttp -> FastAPI, official instrumentors", Goal("ratio", "<=", 1 / 3)),
}

Calls = Callable[[int], Awaitable[float]]
"""Makes so many calls at a time, and answers what one took: microseconds of CPU."""


async def measure(bench: Bench) -> list[Row]:
    """A row for each number of calls in flight and each peer."""
    rows = []
    async with AsyncExitStack() as stack:
        otlp = await stack.enter_async_context(collector(bench))
        hops: dict[str, Calls] = {"ours": partial(shipped, bench, otlp)}
        hops |= await stack.enter_async_context(peers(bench, otlp))
        for in_flight in IN_FLIGHT:
            values = await bench.blocks(
                f"hop, {in_flight} in flight",
                {name: partial(hop, in_flight) for name, hop in hops.items()},
            )
            rows += [_row(in_flight, name, values) for name in PEERS]
    return rows


def _row(in_flight: int, peer: str, values: Mapping[str, list[float]]) -> Row:
    name, goal = PEERS[peer]
    return Row.judged(
        f"One hop, {in_flight} in flight, all traced and exported, beside {peer}", "us CPU/call",
        statistics.median(values["ours"]),
        peer=statistics.median(values[peer]), peer_name=name,
        ratios=ratios(values["ours"], values[peer]), goal=goal,
    )  # fmt: skip  # a row reads as one


async def shipped(bench: Bench, otlp: str, in_flight: int, *, build: Build = OURS) -> float:
    """One hop as this build ships it, every request traced: microseconds of CPU at both ends."""
    here = Placement.here()
    callee, caller = here.subjects, here.generator
    pins = () if callee is None else ("--caller-cpu", str(caller), "--callee-cpu", str(callee))
    async with child(
        bench, profile_of(build.tree).hop, "hop", "--rung", "T7b", "--otlp", otlp, *pins,
        "--calls", str(bench.calls(CALLS["ours"])), "--in-flight", str(in_flight), build=build,
    ) as process:  # fmt: skip  # one command
        hop = await process.read()
    return hop["cpu_caller_us"] + hop["cpu_callee_us"]


@asynccontextmanager
async def peers(bench: Bench, otlp: str) -> AsyncIterator[dict[str, Calls]]:
    """Both peers, warm, each caller with the same callee."""
    here = Placement.here()
    async with AsyncExitStack() as stack:
        app = ("bench.app", "--stack", "standard", "--ratio", "1", "--otlp", otlp)
        callee = await stack.enter_async_context(child(bench, *app, cpu=here.subjects))
        url = f"http://127.0.0.1:{(await callee.read())['port']:.0f}"
        hops: dict[str, Calls] = {}
        for name in PEERS:
            words = ("bench.caller", name, url, "--otlp", otlp)
            caller = await stack.enter_async_context(child(bench, *words, cpu=here.generator))
            await caller.read()
            await caller.ask(f"{bench.calls(WARM_UP)} {IN_FLIGHT[0]}")
            hops[name] = partial(_standard, caller, callee, bench.calls(CALLS[name]))
        yield hops


async def _standard(caller: Child, callee: Child, calls: int, in_flight: int) -> float:
    before = await callee.ask("cpu")
    run = await caller.ask(f"{calls} {in_flight}")
    after = await callee.ask("cpu")
    return (run["cpu_s"] + after["cpu_s"] - before["cpu_s"]) / calls * 1e6
