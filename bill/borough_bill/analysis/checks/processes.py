"""Checks of processes: was each one read in every window, and are their hops consistent?"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.formats import listed, share
from borough_bill.analysis.lines.runs import Runs
from borough_bill.results import Hop, Window, titled

REPEATED_LIMIT = 0.02
"""Share by which the mean of an edge's calls a request, over all blocks, may exceed the median."""
ROUNDING_S = 1e-6
"""Seconds that sums of the same times may differ by."""


def cpu(runs: Runs) -> Check:
    """The CPU clock of every process was read; a missing one would make its shape cheaper."""
    return _read("CPU", "the CPU clock of every process", runs.loaded(), lambda w: w.cpu_s)


def memory(runs: Runs) -> Check:
    """The memory of every process was read. Rungs have no line for memory."""
    subjects = ((subject, runs.windows(subject)) for subject in runs.plan.subjects)
    return _read("memory", "the memory of every process", subjects, lambda w: w.rss_mib)


def _read(
    family: Family,
    what: str,
    loaded: Iterable[tuple[str, tuple[Window, ...]]],
    of: Callable[[Window], Mapping[str, float]],
) -> Check:
    gaps = []
    for subject, windows in loaded:
        processes = {process for window in windows for process in of(window)}
        if not processes or any(
            of(window).keys() != processes or not sum(of(window).values()) for window in windows
        ):
            gaps.append(titled(subject))
    return Check(
        name=f"{family} read",
        question=f"Was {what} read in every window?",
        value=f"{len(gaps)} subjects with gaps",
        limit="0",
        passed=not gaps,
        sentence=f"A process was not read, or all of them read 0, in {listed(gaps)}."
        if gaps
        else "Every process was read.",
        voids=(family,),
        remedy="Begin the run anew (--fresh); a process that cannot be read may belong to another "
        "user.",
    )


def hop_counts(runs: Runs) -> Check:
    """Calls were not retried, which raises the mean over blocks and not the median.

    Fewer calls are no fault, since events of several orders may share one. Windows with several
    classes are skipped, since their mix differs by chance.
    """
    worst, where = 0.0, ""
    for subject, windows in runs.loaded():
        served = [window for window in windows if window.served and not window.classes]
        for edge in {edge for window in served for edge in window.hops}:
            calls = np.array([_calls(window, edge) for window in served])
            median = float(np.median(calls))
            off = float(calls.mean()) / median - 1 if median else 1.0
            if off > worst:
                worst, where = off, f"{edge} of {titled(subject)}"
    return Check(
        name="hop counts",
        question="Does a request make no more calls than it does in most blocks?",
        value=f"{share(worst, 1)} more",
        limit=share(REPEATED_LIMIT),
        passed=worst <= REPEATED_LIMIT,
        sentence=f"Calls of {where} are {share(worst, 1)} more than in most blocks; some were "
        "probably retried."
        if where
        else "There is no sign of a retry.",
        voids=("hops",),
        remedy="A lower rate (--rate), or a less busy machine.",
    )


def _calls(window: Window, edge: str) -> float:
    return window.hops[edge].calls / window.served if edge in window.hops else 0.0


def hop_times(runs: Runs) -> Check:
    """The time of a callee's handler is within that of its stack, and this within the call."""
    wrong = [
        f"{edge} of {window.name}"
        for _, windows in runs.loaded()
        for window in windows
        for edge, hop in window.hops.items()
        if not _nested(hop)
    ]
    return Check(
        name="hop times",
        question="Does every call take at least as long as its callee reports?",
        value=f"{len(wrong)} that do not",
        limit="0",
        passed=not wrong,
        sentence=f"The callee of {wrong[0]} reports a longer time than the call took."
        if wrong
        else "All handlers are within their stacks, and these within their calls.",
        voids=("hops",),
        remedy="Look at that edge: a clock jumped, or something else sets Server-Timing.",
    )


def _nested(hop: Hop) -> bool:
    return hop.handler_s <= hop.server_s + ROUNDING_S and hop.server_s <= hop.total_s + ROUNDING_S
