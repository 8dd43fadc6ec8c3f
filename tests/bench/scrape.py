"""Whether reading /metrics stalls requests: their tail with a scraper at work, and without one.

The part exposes a thousand series and is scraped five times a second, far more often than any
Prometheus would; the same arrivals come with and without.
"""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import numpy as np

from bench.harness import Bench, BenchFailed, child, cores, ratio
from bench.rows import Goal, Row
from bench.scraped import SERIES
from borough_bill.generator import Generator, Job

RATE, WINDOW_S, WARM_UP_S = 500.0, 3.0, 0.3
SCRAPE_EVERY_S = 0.2
SCRAPE = b"GET /metrics HTTP/1.0\r\naccept: application/openmetrics-text\r\n\r\n"
GOAL = Goal("ratio", "<=", 1.25)
"""A tail of a few milliseconds repeats itself within a quarter, scraped or not."""


async def measure(bench: Bench) -> list[Row]:
    """One row: the 99th percentile of latency, scraped over unscraped."""
    part_cpu, generator_cpu = cores()
    async with AsyncExitStack() as stack:
        part = await stack.enter_async_context(child(bench, "bench.scraped", cpu=part_cpu))
        ports = await part.hear()
        generator = await stack.enter_async_context(Generator(generator_cpu))
        job = Job(
            doors={"": (f"http://127.0.0.1:{ports['public_port']}",)},
            workload="probe",
            rate=RATE,
            seconds=max(0.5, WINDOW_S * bench.scale),
            warm_up_s=WARM_UP_S,
            seed=bench.seed,
            out=bench.folder / "scrape.npz",
        )
        quiet = partial(_p99_ms, generator, job)
        values = await bench.blocks(
            "p99 in ms, scraped or not",
            {"quiet": quiet, "scraped": partial(_while_scraped, int(ports["ops_port"]), quiet)},
        )
    return [
        Row.judged(
            f"Requests' p99 while /metrics ({SERIES:,} series) is read 5 times a second", "ms",
            statistics.median(values["scraped"]),
            peer=statistics.median(values["quiet"]), peer_name="ours, not scraped",
            ratio=ratio(values["scraped"], values["quiet"]), goal=GOAL,
        )
    ]  # fmt: skip  # a row reads as one


async def _p99_ms(generator: Generator, job: Job) -> float:
    recording = await generator.run(job)
    if recording.failed:
        raise BenchFailed(f"{recording.failed} requests failed: {recording.header.reasons}")
    return float(np.quantile(recording.latencies(), 0.99)) * 1_000


async def _while_scraped(port: int, measured: Callable[[], Awaitable[float]]) -> float:
    scraper = asyncio.create_task(_scrape(port))
    try:
        return await measured()
    finally:
        scraper.cancel()
        with suppress(asyncio.CancelledError):
            await scraper


async def _scrape(port: int) -> None:
    """Raises BenchFailed when the answer has fewer series than promised: it would be too cheap."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SCRAPE)
        text = await reader.read(-1)
        writer.close()
        if (lines := text.count(b"\n")) < SERIES:
            raise BenchFailed(f"/metrics has {lines} lines, not {SERIES}:\n{text[:200]!r}")
        await asyncio.sleep(SCRAPE_EVERY_S)
