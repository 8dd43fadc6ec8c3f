"""Checks of the load: was it sent on time, to all subjects alike, and was every request served?"""

from collections.abc import Callable
from itertools import chain

import numpy as np

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import again
from borough_bill.analysis.lines.formats import listed, share, span
from borough_bill.analysis.lines.latency import latency
from borough_bill.analysis.lines.runs import Runs, mean_latency, pooled, series
from borough_bill.analysis.statistics import difference, holm, p_value
from borough_bill.results import Window, titled

P95_S, P99_S, FREEZE_LIMIT = 0.5, 0.9, 0.05
"""The percentiles of a server that is frozen for 1 s in every 10 s under a uniform load, whose
latency has the tail P(latency > x) = (1 s - x) / 10 s, and cannot be lower; and the deviation that
is allowed from the percentiles by the server's own clock.
"""
SLIP_LIMIT_MS = 5.0
GENERATOR_LIMIT = 0.7
"""Share of its core; above it, requests begin to wait for the generator."""
UNSERVED_LIMIT = 0.001
"""Share of requests that may fail, if as many of every subject do."""
FAILED_LIMIT = 0.05
"""Share of requests. CPU and hops of a failed request are divided among those that were served, so
that their figures are off by this share at most: as much as a line calls no difference.
"""
SLIP_SHARE = 0.05
"""Share of the smallest difference that is claimed; slip below it changes no claim."""
OTHERS_LIMIT = 0.2
"""Share of the subjects' core that other processes may use. The subjects wait for them, some shapes
longer than others, and that would count as latency of the shape.
"""
FIND_FAILURES = (
    "Look at the failures of that subject; where its answers took too long, a lower rate (--rate)."
)
QUIET = "End other programs on this machine; a busy one can measure everything but latency."


def served(runs: Runs) -> Check:
    """Every request was answered as expected: failed requests are in no latency, so a shape that
    fails slow requests would seem fast.
    """
    counts = {_unserved(windows) for _, windows in runs.loaded()}
    worst, name = _largest(runs, _unserved_share)
    return Check(
        name="served",
        question="Was every request answered as expected?",
        value=f"{share(worst, 2)} not served",
        limit=f"0, or < {share(UNSERVED_LIMIT, 1)} and all alike",
        passed=worst == 0 or (worst < UNSERVED_LIMIT and len(counts) == 1),
        sentence=f"{name} did not serve {share(worst, 2)}, which are in no latency."
        if worst
        else "Every request was answered, and every answer was the expected one.",
        voids=("latency",),
        remedy=FIND_FAILURES,
    )


def few_failures(runs: Runs) -> Check:
    """Few requests failed, whose CPU and hops are divided among the served ones."""
    worst, name = _largest(runs, _unserved_share)
    return Check(
        name="few failures",
        question="Were failures too few to change the cost of served requests?",
        value=f"{share(worst, 2)} failed",
        limit=share(FAILED_LIMIT),
        passed=worst <= FAILED_LIMIT,
        sentence=f"Most failed in {name}; their cost is divided among those that were served."
        if worst
        else "None failed.",
        voids=("CPU", "hops"),
        remedy=FIND_FAILURES,
    )


def _unserved_share(windows: tuple[Window, ...]) -> float:
    offered = sum(window.offered for window in windows)
    return _unserved(windows) / offered if offered else 1.0


def sent(runs: Runs) -> Check:
    """All subjects of a block were sent the same requests: windows of the same length have the same
    schedule.
    """
    plan = runs.plan
    offered: dict[tuple[int, float], dict[str, int]] = {}
    for name, windows in runs.loaded():
        for window in windows:
            alike = offered.setdefault((window.block, plan.seconds_of(name)), {})
            alike[titled(name)] = window.offered
    short = {
        name: max(alike.values()) - count
        for alike in offered.values()
        for name, count in alike.items()
        if count < max(alike.values()) or count == 0
    }
    return Check(
        name="sent",
        question="Was every planned request sent and recorded?",
        value=f"{sum(short.values())} missing",
        limit="0, of every subject",
        passed=bool(offered) and not short,
        sentence=f"In some block, fewer requests than to others were sent to {listed([*short])}."
        if short
        else "In every block, all subjects were sent the same number of requests.",
        voids=("failures",),
        remedy="Begin the run anew (--fresh).",
    )


def _unserved(windows: tuple[Window, ...]) -> int:
    return sum(window.offered - window.served for window in windows)


def _largest(runs: Runs, of: Callable[[tuple[Window, ...]], float]) -> tuple[float, str]:
    """The largest value over subjects and rungs, and its subject: the reference, if all are 0."""
    found = [(of(windows), titled(subject)) for subject, windows in runs.loaded()]
    return max([(0.0, runs.plan.reference), *found], key=lambda pair: pair[0])


def freeze(runs: Runs) -> Check:
    """The generator measured the known percentiles of a server that freezes (`load.frozen`)."""
    seen = runs.result.freeze
    off, limit = 1.0, (P95_S, P99_S)
    if seen is not None:
        limit = max(seen.given_p95_s, P95_S), max(seen.given_p99_s, P99_S)
        off = max(abs(seen.p95_s / limit[0] - 1), abs(seen.p99_s / limit[1] - 1))
    return Check(
        name="freeze",
        question="Does the generator measure the latency of a frozen server?",
        value=f"p95 {seen.p95_s:.3f} s, p99 {seen.p99_s:.3f} s" if seen else "-",
        limit=f"p95 {limit[0]:.3g} s, p99 {limit[1]:.3g} s, within {share(FREEZE_LIMIT)}",
        passed=off <= FREEZE_LIMIT,
        sentence=f"A server frozen 1 s in every 10 s was measured within {share(off, 1)} of its "
        "own clock."
        if seen
        else "The freeze test was not run.",
        voids=("latency",),
        remedy=QUIET,
    )


def slip(runs: Runs) -> Check:
    """Requests left on time. The limit is for all requests together: of the few hundred of one
    subject, three late ones would decide.
    """
    pools = {subject: pooled(windows, "slip") for subject, windows in runs.loaded()}
    late = {
        titled(subject): pool.quantile(0.99) for subject, pool in pools.items() if pool is not None
    }
    everything = pooled(tuple(chain.from_iterable(w for _, w in runs.loaded())), "slip")
    found = everything.quantile(0.99) if everything else np.inf
    worst = max(late, key=late.__getitem__, default="")
    return Check(
        name="slip",
        question="Were requests sent at their intended times?",
        value=f"p99 {found:.2f} ms" if late else "-",
        limit=f"{SLIP_LIMIT_MS:g} ms",
        passed=found <= SLIP_LIMIT_MS,
        sentence=f"1 in 100 requests left {found:.2f} ms late or more; by subject, 1 in 100 left "
        f"{min(late.values()):.2f} to {late[worst]:.2f} ms late, most to {worst}."
        if late
        else "No request was sent.",
        voids=("latency",),
        remedy=QUIET,
    )


def even_slip(runs: Runs) -> Check:
    """Slip did not differ between subjects, which would count as their latency. Each is compared
    with the mean of its blocks, and all are tested together (Holm).
    """
    name, question = "even slip", "Were requests to all subjects equally late?"
    allowed = (
        f"half of the A/A interval, or {share(SLIP_SHARE)} of the smallest claimed difference if "
        "that is larger"
    )
    null = again(runs, mean_latency)
    found = {s: series(w, lambda w: w.slip.mean if w.slip else None) for s, w in runs.loaded()}
    if null is None or not all(found.values()):
        return Check(
            name=name,
            question=question,
            value="-",
            limit=allowed,
            passed=False,
            sentence="There is no A/A, or a subject was sent no request.",
            voids=("latency",),
            remedy=QUIET,
        )
    blocks = {block for slips in found.values() for block in slips}
    mean = {b: float(np.mean([s[b] for s in found.values() if b in s])) for b in blocks}
    apart = {subject: difference(slips, mean) for subject, slips in found.items()}
    least = max(difference(*null).half_width, SLIP_SHARE * _smallest_claim(runs))
    odd = holm({subject: p_value(slips, mean) for subject, slips in found.items()})
    farthest = max(apart, key=lambda subject: abs(apart[subject].mean))
    off = [titled(subject) for subject in sorted(odd) if abs(apart[subject].mean) > least]
    return Check(
        name=name,
        question=question,
        value=f"{abs(apart[farthest].mean):.3f} ms from the mean",
        limit=f"{least:.3f} ms",
        passed=not off,
        sentence=f"Block after block, requests to {listed(off)} left earlier or later than others."
        if off
        else f"Farthest from the mean of its blocks was {titled(farthest)}, by "
        f"{apart[farthest].mean:.3f} ms ({span(apart[farthest], 'ms')}). Allowed is {allowed}.",
        voids=("latency",),
        remedy=QUIET,
    )


def _smallest_claim(runs: Runs) -> float:
    """The smallest difference in mean latency that the bill claims, in ms; 0 for none."""
    mean = next(latency(runs))
    claimed = [abs(cell.change.mean) for cell in mean.cells if cell.differs] if mean else []
    return min(claimed, default=0.0)


def generator(runs: Runs) -> Check:
    """The generator was not saturated, over all windows of any subject."""

    def used(windows: tuple[Window, ...]) -> float:
        seconds = sum(window.seconds for window in windows)
        return sum(window.generator_cpu_s for window in windows) / seconds if seconds else 0.0

    busy, name = _largest(runs, used)
    return Check(
        name="generator",
        question="Did the generator have CPU to spare?",
        value=f"{share(busy, 1)} of its core",
        limit=share(GENERATOR_LIMIT),
        passed=busy <= GENERATOR_LIMIT,
        sentence=f"It was busiest with {name}.",
        voids=("latency",),
        remedy="A lower rate (--rate).",
    )


def own_core(runs: Runs) -> Check:
    """Other processes used little of the subjects' core, over all windows of any subject."""

    def taken(windows: tuple[Window, ...]) -> float:
        known = [window for window in windows if window.others_s is not None]
        seconds = sum(window.seconds for window in known)
        return sum(window.others_s or 0.0 for window in known) / seconds if seconds else 0.0

    most, name = _largest(runs, taken)
    return Check(
        name="own core",
        question="Did the subjects have their core to themselves?",
        value=f"{share(most)} used by others",
        limit=share(OTHERS_LIMIT),
        passed=most <= OTHERS_LIMIT,
        sentence=f"Other processes took {share(most)} of the subjects' core, most of it beside "
        f"{name}. Requests wait for that, and longer where more processes take part; the times of "
        "hops contain such waiting too.",
        voids=("latency",),
        remedy=QUIET,
    )
