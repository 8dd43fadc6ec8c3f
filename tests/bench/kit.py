"""What kit and telemetry cost beside another commit: a hop, a request, memory, a start.

Both commits are measured in each block, in random order.
"""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from bench import hop
from bench.databases import SQLITE
from bench.harness import OURS, Bench, Build, child, collector, ratios
from bench.parts import WITHIN_S, seconds_to_ready
from bench.price import IN_FLIGHT, cpu_a_request
from bench.profiles import profile_of
from bench.rows import Goal, Row
from bench.sides import MICROSERVICES, sides
from borough_bill.targets.attribution import memory
from borough_bill.targets.machine import Placement
from borough_bill.targets.processes import Process

SHARE = 3.0
"""Times the usual number of blocks."""
REQUESTS, WARM_UP = 6_000, 500
NOT_WORSE = Goal("ratio", "<=", 1.05)


async def measure(bench: Bench) -> list[Row]:
    """A row for each price; without another commit, none has a peer."""
    return [*await _hops(bench), *await _requests(bench), *await _starts(bench)]


def _builds(bench: Bench) -> list[Build]:
    return [OURS] if bench.beside is None else [OURS, bench.beside]


async def _hops(bench: Bench) -> list[Row]:
    rows = []
    async with collector(bench) as otlp:
        for in_flight in hop.IN_FLIGHT:
            values = await bench.blocks(
                f"commit's hop, {in_flight} in flight",
                {
                    build.name: partial(hop.shipped, bench, otlp, in_flight, build=build)
                    for build in _builds(bench)
                },
                share=SHARE,
            )
            name = f"One hop, {in_flight} in flight, all traced and exported"
            rows += _rows(name, "us CPU/call", values)
    return rows


async def _requests(bench: Bench) -> list[Row]:
    """A foreign app's requests under `instrument`, on one core."""
    here = Placement.here()
    async with AsyncExitStack() as stack:
        otlp = await stack.enter_async_context(collector(bench))
        candidates = {}
        for build in _builds(bench):
            module = profile_of(build.tree).instrument
            served = ("bench.instrumented", module, "--otlp", otlp)
            app = await stack.enter_async_context(
                child(bench, *served, cpu=here.subjects, build=build)
            )
            url = f"http://127.0.0.1:{(await app.read())['port']:.0f}"
            words = ("bench.caller", "bytes", url, "--path", "/items")
            driver = await stack.enter_async_context(child(bench, *words, cpu=here.generator))
            await driver.read()
            await driver.ask(f"{bench.calls(WARM_UP)} {IN_FLIGHT}")
            candidates[build.name] = partial(cpu_a_request, app, driver, bench.calls(REQUESTS))
        values = await bench.blocks("commit's telemetry", candidates, share=SHARE)
    return _rows("A foreign app's request, traced and exported", "us CPU/request", values)


async def _starts(bench: Bench) -> list[Row]:
    """The mean of the parts of microservices, each restarted once a block while the others run."""
    rests: dict[str, list[float]] = {}
    async with sides(bench, MICROSERVICES, SQLITE) as both:
        for side in both.values():
            await side.start()
            rests[side.name] = []

        async def restart(name: str, processes: Sequence[Process]) -> float:
            rests[name].append(statistics.mean(memory(p.pid).rss_mib for p in processes))
            seconds = []
            for process in processes:
                await process.terminate(WITHIN_S)
                seconds.append(await seconds_to_ready(process))
            return statistics.mean(seconds)

        starts = await bench.blocks(
            "commit's parts, seconds to ready",
            {name: partial(restart, name, side.processes) for name, side in both.items()},
            share=SHARE,
        )
    bench.samples["commit's parts, MiB at rest"] = rests
    return [
        *_rows("Memory at rest (RSS), mean of the parts of microservices", "MiB", rests),
        *_rows("Time from process start to ready, mean of those parts", "s", starts),
    ]


def _rows(name: str, unit: str, values: Mapping[str, Sequence[float]]) -> list[Row]:
    ours = values[OURS.name]
    peers = [
        Row.judged(
            f"{name}, beside {peer}", unit, statistics.median(ours),
            peer=statistics.median(theirs), peer_name=peer,
            ratios=ratios(ours, theirs), goal=NOT_WORSE,
        )
        for peer, theirs in values.items()
        if peer != OURS.name
    ]  # fmt: skip  # a row reads as one
    return peers or [Row.judged(name, unit, statistics.median(ours))]
