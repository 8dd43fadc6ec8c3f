"""All checks, in the order of dependence, and the families that a result has."""

from collections.abc import Iterator

from borough_bill.analysis.checks import ladder, load, null, processes, whole
from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.families import FAMILIES, Family
from borough_bill.analysis.lines.ladder import cpu_ladder, latency_ladder
from borough_bill.analysis.lines.runs import Runs, cpu, mean_latency


def measured(runs: Runs) -> tuple[Family, ...]:
    """The families that were measured: of an application on the kit all, where the machine can read
    processes; else those that there are figures of.
    """
    ours = runs.result.kind != "compare"
    subjects = [runs.windows(subject) for subject in runs.plan.subjects]
    readable = ours and runs.result.machine.reads_processes
    figures: dict[Family, bool] = {
        "latency": True,
        "CPU": readable or all(any(w.cpu_s for w in windows) for windows in subjects),
        "memory": readable or all(any(w.rss_mib for w in windows) for windows in subjects),
        "hops": ours or any(w.hops for windows in subjects for w in windows),
        "failures": True,
        "books": ours or bool(runs.result.audits),
    }
    return tuple(family for family in FAMILIES if figures[family])


def checks(runs: Runs) -> tuple[Check, ...]:
    """All checks that speak for a family that was measured."""
    has = set(measured(runs))
    return tuple(
        check.model_copy(update={"voids": tuple(f for f in check.voids if f in has)})
        for check in _checks(runs)
        if has & set(check.voids)
    )


def _checks(runs: Runs) -> Iterator[Check]:
    ours = runs.result.kind != "compare"
    yield whole.whole(runs)
    yield whole.blocks(runs)
    yield load.served(runs)
    yield load.few_failures(runs)
    yield load.sent(runs)
    if ours or runs.result.freeze is not None:
        yield load.freeze(runs)
    yield load.slip(runs)
    yield load.even_slip(runs)
    yield load.generator(runs)
    if any(window.others_s is not None for _, windows in runs.loaded() for window in windows):
        yield load.own_core(runs)
    yield null.null(runs, "latency", "ms", mean_latency)
    yield processes.cpu(runs)
    yield null.null(runs, "CPU", "us", cpu)
    yield processes.memory(runs)
    yield null.null_memory(runs)
    yield processes.hop_counts(runs)
    yield processes.hop_times(runs)
    yield whole.audited(runs)
    if ours and runs.plan.ladder:
        yield ladder.rungs(runs)
        yield ladder.closed(runs, latency_ladder(runs), "latency")
        yield ladder.closed(runs, cpu_ladder(runs), "CPU")
