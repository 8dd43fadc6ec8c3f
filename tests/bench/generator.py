"""The bill's load generator on one core: how much it can send, and what a request takes of it.

wrk is beside it on the same server, where it is installed: a closed loop in C that checks nothing
and records nothing, so it is a bound rather than a rival.
"""

import asyncio
import re
import shutil
import statistics
from contextlib import suppress
from functools import partial

from bench.harness import Bench, BenchFailed, Candidates, ratios, settle_in
from bench.rows import Goal, Row
from borough_bill.load.frozen import server
from borough_bill.load.generator import Generator, Job
from borough_bill.load.recording import Recording, slip_check
from borough_bill.targets.attribution import memory
from borough_bill.targets.machine import Placement

TOO_MUCH, BURST_S = 200_000.0, 0.5
"""More than it can send: what it then sends is what it can."""
RATE, STEADY_S, LONG_S = 5_000.0, 60.0, 600.0
CONNECTIONS = 16
LOOK_EVERY_S = 0.5
GROWN_FROM = 0.2
"""Memory is compared from this share of a steady run on: before, the run is still being set up."""
FLAT_MIB = 4.0


async def measure(bench: Bench) -> list[Row]:
    """Throughput flat out; CPU, memory and punctuality at a steady 5,000 requests a second."""
    here = Placement.here()
    async with server(cpu=here.subjects) as (url, _), Generator(here.generator) as generator:
        candidates: Candidates = {"ours": partial(_flat_out, bench, generator, url)}
        if wrk := shutil.which("wrk"):
            candidates = {**candidates, "wrk": partial(_wrk, bench, wrk, url)}
        burst = await bench.blocks("generator flat out, requests/s", candidates)
        return [_throughput(burst), *await _steady(bench, generator, url)]


def _throughput(burst: dict[str, list[float]]) -> Row:
    wrk = burst.get("wrk")
    return Row.judged(
        "Generator flat out on one core", "requests/s", statistics.median(burst["ours"]),
        peer=statistics.median(wrk) if wrk else None,
        peer_name="wrk, closed loop, nothing checked or recorded" if wrk else None,
        ratios=ratios(burst["ours"], wrk) if wrk else (),
        goal=Goal("ours", ">=", RATE),
    )  # fmt: skip  # a row reads as one


async def _steady(bench: Bench, generator: Generator, url: str) -> list[Row]:
    seconds = LONG_S if bench.long else max(2.0, STEADY_S * bench.scale)
    bench.step(f"generator: {RATE:,.0f} requests/s for {seconds:.0f} s")
    resident: list[float] = []
    watching = asyncio.create_task(_watch(generator.pid, resident))
    recording = await _run(bench, generator, url, RATE, seconds)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    while_steady = resident[round(len(resident) * GROWN_FROM) :]
    cpu_us = recording.header.generator_cpu_s / recording.served * 1e6
    slip = slip_check([recording])
    bench.samples["generator, MiB over the steady run"] = {"ours": resident}
    return [
        Row.judged(
            "Generator's CPU a request at 5,000/s", "us CPU/request", cpu_us,
            goal=Goal("ours", "<=", 150),
        ),
        Row.judged(
            f"Generator's memory grows in {seconds:.0f} s at 5,000/s", "MiB",
            max(while_steady) - while_steady[0], goal=Goal("ours", "<=", FLAT_MIB),
        ),
        Row.judged(
            "Generator late at 5,000/s, 99th percentile of slip", "ms", slip.p99_s * 1_000,
            goal=Goal("ours", "<=", 5),
        ),
    ]  # fmt: skip  # a row reads as one


async def _run(
    bench: Bench, generator: Generator, url: str, rate: float, seconds: float
) -> Recording:
    """Raises BenchFailed when a request failed: there is nothing that could go wrong."""
    recording = await generator.run(
        Job(
            doors={"": (url,)},
            workload="probe",
            arrivals="constant",
            rate=rate,
            seconds=seconds,
            seed=bench.seed,
            out=bench.folder / "generator.npz",
        )
    )
    if recording.failed:
        raise BenchFailed(f"the generator: {recording.failed} failed, {recording.header.reasons}")
    return recording


async def _flat_out(bench: Bench, generator: Generator, url: str) -> float:
    recording = await _run(bench, generator, url, TOO_MUCH, max(0.2, BURST_S * bench.scale))
    return recording.served / recording.header.window_s


async def _wrk(bench: Bench, wrk: str, url: str) -> float:
    """What wrk says it sent a second."""
    process = await asyncio.create_subprocess_exec(
        wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(BURST_S * bench.scale))}s", f"{url}/",
        preexec_fn=partial(settle_in, Placement.here().generator), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip  # the command on one line, as one would type it
    out, _ = await process.communicate()
    said = re.search(rb"Requests/sec:\s*([0-9.]+)", out)
    if said is None:
        raise BenchFailed(f"wrk said:\n{out.decode(errors='replace')}")
    return float(said[1])


async def _watch(pid: int, resident: list[float]) -> None:
    while True:
        resident.append(memory(pid).rss_mib)
        await asyncio.sleep(LOOK_EVERY_S)
