"""Of what processes used: was every process read, and does each tell of the same things?"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.runs import Runs
from borough_bill.analysis.lines.words import listed, share
from borough_bill.results import Hop, Window

REPEATED = 0.02
"""Calls an order of one edge, between the mean and the median of all blocks."""
CLOCKS = 1e-6
"""Seconds that sums of the same times may differ by."""


def cpu(runs: Runs) -> Check:
    """A window without one process's clock would make its shape cheaper."""
    return _read("CPU", "the CPU clock of every process", runs.loaded(), lambda w: w.cpu_s)


def memory(runs: Runs) -> Check:
    """Likewise of memory, which has no line for a rung."""
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
            gaps.append(subject)
    return Check(
        name=f"{family} read",
        question=f"Was {what} read in every window?",
        value=f"{len(gaps)} subjects with gaps",
        limit="0",
        passed=not gaps,
        sentence=f"Of {listed(gaps)} a process was not read, or all of them used nothing."
        if gaps
        else "None was left out.",
        voids=(family,),
        helps="Begin the run anew (--fresh); a process that cannot be read may belong to another "
        "user.",
    )


def hop_counts(runs: Runs) -> Check:
    """A call that was tried again is one that a request does not need. It moves the mean over
    blocks, and not the median. Fewer calls are no fault: events of several orders may go in one.
    Where requests are of several classes their mix differs by chance.
    """
    worst, where = 0.0, ""
    for subject, windows in runs.loaded():
        served = [window for window in windows if window.served and not window.classes]
        for edge in {edge for window in served for edge in window.hops}:
            calls = np.array([_calls(window, edge) for window in served])
            usual = float(np.median(calls))
            off = float(calls.mean()) / usual - 1 if usual else 1.0
            if off > worst:
                worst, where = off, f"{edge} of {subject}"
    return Check(
        name="hop counts",
        question="Does a request make no more calls than it does in most blocks?",
        value=f"{share(worst, 1)} more",
        limit=share(REPEATED),
        passed=worst <= REPEATED,
        sentence=f"Calls of {where} are {share(worst, 1)} more than in most blocks, as if some of "
        "them were tried again."
        if where
        else "None was made again.",
        voids=("hops",),
        helps="A lower rate (--rate), or a machine that does less beside.",
    )


def _calls(window: Window, edge: str) -> float:
    return window.hops[edge].calls / window.served if edge in window.hops else 0.0


def hop_times(runs: Runs) -> Check:
    """The callee's handler is a part of its stack, and that a part of the call."""
    wrong = [
        f"{edge} of {window.name}"
        for _, windows in runs.loaded()
        for window in windows
        for edge, hop in window.hops.items()
        if not _nested(hop)
    ]
    return Check(
        name="hop times",
        question="Does every call take at least as long as what its callee says it did?",
        value=f"{len(wrong)} that do not",
        limit="0",
        passed=not wrong,
        sentence=f"The callee of {wrong[0]} says it worked longer than the call took."
        if wrong
        else "Handlers are within their stacks, and these within their calls.",
        voids=("hops",),
        helps="A clock jumped, or Server-Timing is not the parts' own: look at that edge.",
    )


def _nested(hop: Hop) -> bool:
    return hop.handler_s <= hop.server_s + CLOCKS and hop.server_s <= hop.total_s + CLOCKS
