"""What telemetry takes from one FastAPI app with a JSON route, driven at saturation.

Throughput is requests a second of the server's own CPU, so that neither the machine's other work
nor the driver's speed decides; what is exported is flushed before the clock is read,
and a span that is dropped ends the bench.
"""

import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from bench.harness import Bench, Child, child, collector, ratios
from bench.rows import Goal, Row
from borough_bill.targets.machine import Placement

STANDARD = "official instrumentor + prometheus-fastapi-instrumentator"
IN_FLIGHT = 16
CALLS = 6_000
WARM_UP = 500
VARIANTS: dict[str, tuple[str, ...]] = {
    "bare": ("--stack", "bare"),
    "ours, metrics": ("--stack", "ours"),
    "ours, 1 %": ("--stack", "ours", "--ratio", "0.01"),
    "ours, 100 %": ("--stack", "ours", "--ratio", "1"),
    "ours, 1 %, logs": ("--stack", "ours", "--ratio", "0.01", "--logs"),
    "standard, metrics": ("--stack", "standard"),
    "standard, 1 %": ("--stack", "standard", "--ratio", "0.01"),
    "standard, 100 %": ("--stack", "standard", "--ratio", "1"),
    "standard, 1 %, logs": ("--stack", "standard", "--ratio", "0.01", "--logs"),
}
PLANS = {
    "metrics": ("metrics only", None),
    "1 %": ("metrics, 1 % of traces", Goal("ratio", ">=", 0.9)),
    "100 %": ("metrics, every request traced, exported", Goal("ratio", ">=", 0.75)),
    "1 %, logs": ("metrics, 1 % of traces, a log line a request", None),
}


async def measure(bench: Bench) -> list[Row]:
    """For each plan ours over the bare app and beside the standard stack; and what 100 % adds."""
    async with AsyncExitStack() as stack:
        otlp = await stack.enter_async_context(collector(bench))
        candidates = {
            name: await _candidate(bench, stack, (*words, "--otlp", otlp))
            for name, words in VARIANTS.items()
        }
        spent = await bench.blocks("price of telemetry", candidates)
    rows = []
    for plan, (name, goal) in PLANS.items():
        ours, standard = spent[f"ours, {plan}"], spent[f"standard, {plan}"]
        rows += [
            _throughput(f"{name}, beside bare", ours, "the bare app", spent["bare"], goal),
            _throughput(f"{name}, beside standard", ours, STANDARD, standard, None),
        ]
    return [*rows, _added(spent)]


async def _candidate(
    bench: Bench, stack: AsyncExitStack, words: tuple[str, ...]
) -> Callable[[], Awaitable[float]]:
    """An app, warm, and a driver of its own."""
    here = Placement.here()
    app = await stack.enter_async_context(child(bench, "bench.app", *words, cpu=here.subjects))
    url = f"http://127.0.0.1:{(await app.read())['port']:.0f}"
    driver = await stack.enter_async_context(
        child(bench, "bench.caller", "bytes", url, cpu=here.generator)
    )
    await driver.read()
    await driver.ask(f"{bench.calls(WARM_UP)} {IN_FLIGHT}")
    return partial(cpu_a_request, app, driver, bench.calls(CALLS))


async def cpu_a_request(app: Child, driver: Child, calls: int) -> float:
    """The server's CPU a request, in microseconds, at IN_FLIGHT requests in flight."""
    before = await app.ask("cpu")
    await driver.ask(f"{calls} {IN_FLIGHT}")
    after = await app.ask("cpu")
    return (after["cpu_s"] - before["cpu_s"]) / calls * 1e6


def _throughput(
    name: str, ours: list[float], peer_name: str, peer: list[float], goal: Goal | None
) -> Row:
    return Row.judged(
        f"Throughput with {name}", "requests/s a core", 1e6 / statistics.median(ours),
        peer=1e6 / statistics.median(peer), peer_name=peer_name,
        ratios=ratios(peer, ours), goal=goal,
    )  # fmt: skip  # a row reads as one


def _added(spent: dict[str, list[float]]) -> Row:
    def over_bare(name: str) -> list[float]:
        return [one - bare for one, bare in zip(spent[name], spent["bare"], strict=True)]

    ours, standard = over_bare("ours, 100 %"), over_bare("standard, 100 %")
    return Row.judged(
        "CPU that telemetry adds, every request traced and exported", "us CPU/request",
        statistics.median(ours), peer=statistics.median(standard), peer_name=STANDARD,
        ratios=ratios(ours, standard), goal=Goal("ratio", "<=", 1 / 3),
    )  # fmt: skip  # a row reads as one
