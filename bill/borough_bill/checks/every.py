"""Every check, in the order of dependence."""

from collections.abc import Iterator

from borough_bill.checks import ladder, load, null, whole
from borough_bill.checks.check import Check
from borough_bill.lines.ladder import cpu_ladder, latency_ladder
from borough_bill.lines.runs import Runs, cpu, mean_latency


def checks(runs: Runs) -> tuple[Check, ...]:
    """Every check that this kind of measurement must pass, in the order of dependence."""
    return tuple(_checks(runs))


def _checks(runs: Runs) -> Iterator[Check]:
    ours = runs.result.kind != "compare"
    yield whole.blocks(runs)
    yield load.served(runs)
    if ours or runs.result.freeze is not None:
        yield load.freeze(runs)
    yield load.slip(runs)
    yield load.even_slip(runs)
    yield load.generator(runs)
    yield null.null(runs, "latency", "ms", mean_latency)
    if ours or any(window.cpu_s for window in runs.windows(runs.plan.reference)):
        yield null.null(runs, "CPU", "us", cpu)
    if ours or runs.result.audits:
        yield whole.audited(runs)
    if ours:
        yield ladder.rungs(runs)
        yield ladder.closed(runs, latency_ladder(runs), "latency")
        yield ladder.closed(runs, cpu_ladder(runs), "CPU")
