"""Whether reading /metrics stalls requests: their tail with a scraper at work, and without one, and
with one that reads as many series from prometheus_client's server in the same process.

The part exposes a thousand series and is scraped five times a second, far more often than any
Prometheus would; the same arrivals come with and without, others in each block. What is
compared is the median block of each: a machine that stalls once has a tail of its own. That of the
library decides whether the server of pages is worth being ours (docs/adr/0008).
"""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from itertools import count

import numpy as np

from bench.harness import Bench, BenchFailed, child, ratios
from bench.rows import Goal, Row
from bench.scraped import SERIES
from borough_bill.load.generator import Generator, Job
from borough_bill.targets.machine import Placement

RATE, WINDOW_S, WARM_UP_S = 1_000.0, 1.5, 0.3
BLOCKS = 2.0
"""Times the usual number: few requests make a tail."""
SCRAPE_EVERY_S = 0.2
SCRAPE = b"GET /metrics HTTP/1.0\r\naccept: application/openmetrics-text\r\n\r\n"
GOAL = Goal("ratio", "<=", 1.25)
"""A tail of a few milliseconds repeats itself within a quarter, scraped or not."""


async def measure(bench: Bench) -> list[Row]:
    """Two rows: the 99th percentile of latency, scraped over unscraped, and over the library's."""
    here = Placement.here()
    async with AsyncExitStack() as stack:
        part = await stack.enter_async_context(child(bench, "bench.scraped", cpu=here.subjects))
        ports = {**await part.read(), **await part.read()}
        generator = await stack.enter_async_context(Generator(here.generator))
        job = Job(
            doors={"": (f"http://127.0.0.1:{ports['public_port']}",)},
            workload="probe",
            rate=RATE,
            seconds=max(0.5, WINDOW_S * bench.scale),
            warm_up_s=WARM_UP_S,
            out=bench.folder / "scrape.npz",
        )

        def measured() -> Callable[[], Awaitable[float]]:
            """The arrivals of a block are the same for all: each has its own count of blocks."""
            return partial(_p99_ms, generator, job, count(bench.seed))

        def read_from(port: str) -> Callable[[], Awaitable[float]]:
            return partial(while_scraped, int(ports[port]), job.seconds, measured())

        values = await bench.blocks(
            "p99 in ms, scraped or not",
            {
                "ours": read_from("ops_port"),
                "ours, not scraped": measured(),
                "prometheus_client's server": read_from("library_port"),
            },
            share=BLOCKS,
        )
    ours, *peers = values
    return [_row(ours, peer, values, goal) for peer, goal in zip(peers, (GOAL, None), strict=True)]


def _row(ours: str, peer: str, values: Mapping[str, list[float]], goal: Goal | None) -> Row:
    scraped, other = (statistics.median(values[name]) for name in (ours, peer))
    return Row.judged(
        f"Requests' p99 while /metrics ({SERIES:,} series) is read 5 times a second", "ms",
        scraped, peer=other, peer_name=peer, ratio=scraped / other,
        ratios=ratios(values[ours], values[peer]), goal=goal,
    )  # fmt: skip  # a row reads as one


async def _p99_ms(generator: Generator, job: Job, seeds: "count[int]") -> float:
    recording = await generator.run(job.model_copy(update={"seed": next(seeds)}))
    if recording.failed:
        raise BenchFailed(f"{recording.failed} requests failed: {recording.header.reasons}")
    return float(np.quantile(recording.latencies(), 0.99)) * 1_000


async def while_scraped(
    port: int, seconds: float, measured: Callable[[], Awaitable[float]]
) -> float:
    """What is measured, with a scraper at work at that port.

    Raises BenchFailed where fewer than half of the scrapes happened in so many seconds.
    """
    scrapes = list[int]()
    scraper = asyncio.create_task(_scrape(port, scrapes))
    try:
        value = await measured()
    finally:
        scraper.cancel()
        with suppress(asyncio.CancelledError):
            await scraper
    if len(scrapes) < seconds / SCRAPE_EVERY_S / 2:
        raise BenchFailed(f"/metrics was read {len(scrapes)} times in {seconds} s")
    return value


async def _scrape(port: int, scrapes: list[int]) -> None:
    """Keep the number of lines of each answer.

    Raises BenchFailed when there are fewer series than promised: it would be too cheap.
    """
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SCRAPE)
        text = await reader.read(-1)
        writer.close()
        if (lines := text.count(b"\n")) < SERIES:
            raise BenchFailed(f"/metrics has {lines} lines, not {SERIES}:\n{text[:200]!r}")
        scrapes.append(lines)
        await asyncio.sleep(SCRAPE_EVERY_S)
