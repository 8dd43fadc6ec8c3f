"""What the operator's parser of a pod's metrics saves: the CPU of a page, beside the library's.

Both read the same page and keep the same: the sums of a counter's series and of each bucket of a
histogram. What else stands on the page is skipped by ours, and parsed by the library's.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import structlog
from prometheus_client.parser import text_string_to_metric_families

from bench.harness import Bench, BenchFailed, ratios
from bench.rows import Row
from borough_operator.sources.pods import Reader
from borough_shop.orders.signals import ORDERS
from borough_telemetry.metrics import Format, Metrics
from borough_telemetry.signals import BUILD_INFO, SERVER_DURATION

PAGES, BLOCKS = 40, 3.0
"""Pages of one measurement, and times the usual number of blocks."""
OTHERS, ROUTES = 1_000, 40
"""Series that a decision does not need, and routes with a histogram each."""
PEER = "prometheus_client's parser"


async def measure(bench: Bench) -> list[Row]:
    """One row. Raises BenchFailed where the two do not read the same from the page."""
    page = _page()
    histogram = SERVER_DURATION.series
    count, bucket = f"{histogram}_count", f"{histogram}_bucket"
    ours = Reader((count,), histogram)
    if (read := ours.read(page)) != (expected := _by_library(page, count, bucket)):
        raise BenchFailed(f"the parsers differ: {read} is not {expected}")
    pages = bench.calls(PAGES)
    values = await bench.blocks(
        "CPU of a page",
        {
            "ours": partial(_milliseconds, pages, partial(ours.read, page)),
            PEER: partial(_milliseconds, pages, partial(_by_library, page, count, bucket)),
        },
        share=BLOCKS,
    )
    lines = page.count(b"\n")
    return [
        Row.judged(
            f"The operator reads a pod's metrics, {lines:,} lines", "ms CPU/page",
            statistics.median(values["ours"]), peer=statistics.median(values[PEER]),
            peer_name=PEER, ratios=ratios(values["ours"], values[PEER]),
        )
    ]  # fmt: skip  # a row reads as one


def _page() -> bytes:
    metrics = Metrics(dict.fromkeys(BUILD_INFO.labels, ""))
    for number in range(OTHERS):
        metrics[ORDERS].labels(f"outcome-{number}", "").inc()
    for number in range(ROUTES):
        metrics[SERVER_DURATION].labels("GET", f"/route-{number}", "200").observe(number / 100)
    log = structlog.get_logger()
    return b"".join(metrics.pieces(Format.TEXT, log))


def _by_library(page: bytes, count: str, bucket: str) -> dict[str | float, float]:
    totals: dict[str | float, float] = defaultdict(float)
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name == count:
                totals[count] += sample.value
            elif sample.name == bucket:
                totals[float(sample.labels["le"])] += sample.value
    return totals


async def _milliseconds(pages: int, read: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(pages):
        read()
    return (time.process_time() - start) / pages * 1e3
