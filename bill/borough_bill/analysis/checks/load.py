"""Of the load: was it what it was meant to be, to everybody alike, and was every request served?"""

from collections.abc import Callable
from itertools import chain

import numpy as np

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import again
from borough_bill.analysis.lines.latency import latency
from borough_bill.analysis.lines.runs import Runs, mean_latency, pooled, series
from borough_bill.analysis.lines.words import listed, share, span
from borough_bill.analysis.statistics import difference, holm, p_value
from borough_bill.results import Window

P95_S, P99_S, FREEZE = 0.5, 0.9, 0.05
"""What arithmetic says of a server frozen 1 s in every 10 s under a uniform load, a tail of
P(latency > x) = (1 s - x) / 10 s, which no server can be below; and how far a generator may be from
what the server says of itself.
"""
SLIP_MS = 5.0
GENERATOR = 0.7
"""Of its core; above, requests begin to wait for the generator rather than for the subject."""
UNSERVED = 0.001
SPOILT = 0.05
"""Of all requests: what a failed one cost is shared out to those that were served, so that CPU and
hops of a request are off by this share at most: as little as counts for no difference on a line.
"""
CLAIMED = 0.05
"""Of the smallest difference that is claimed: lateness below it changes no figure that is told."""
OTHERS = 0.2
"""Of the subjects' core: what other processes take of it the subjects wait for, some shapes longer
than others, and it would be billed as their latency.
"""
FAILING = (
    "Look at the failures of that subject; where its answers took too long, a lower rate (--rate)."
)
QUIET = "End what else runs on this machine; a busy one can measure everything but latency."


def served(runs: Runs) -> Check:
    """A request that fails is in no latency: a shape that drops what would take long would seem
    quick.
    """
    counts = {_unserved(windows) for _, windows in runs.loaded()}
    worst, name = _most(runs, _lost)
    return Check(
        name="served",
        question="Did everybody answer every request, and as expected?",
        value=f"{share(worst, 2)} not served",
        limit=f"0, or < {share(UNSERVED, 1)} and all alike",
        passed=worst == 0 or (worst < UNSERVED and len(counts) == 1),
        sentence=f"{name} left out {share(worst, 2)}, which are in no latency and would flatter it."
        if worst
        else "Every request was answered, and every answer was the expected one.",
        voids=("latency",),
        helps=FAILING,
    )


def spoilt(runs: Runs) -> Check:
    """What failed is paid by what was served."""
    worst, name = _most(runs, _lost)
    return Check(
        name="few failures",
        question="Did so few requests fail that they change no cost?",
        value=f"{share(worst, 2)} failed",
        limit=share(SPOILT),
        passed=worst <= SPOILT,
        sentence=f"Most failed of {name}; what they cost is shared out to those that were served."
        if worst
        else "None failed.",
        voids=("CPU", "hops"),
        helps=FAILING,
    )


def _lost(windows: tuple[Window, ...]) -> float:
    offered = sum(window.offered for window in windows)
    return _unserved(windows) / offered if offered else 1.0


def sent(runs: Runs) -> Check:
    """In a block all have the same schedule, so that windows that were meant to be equally long
    must have offered as many requests.
    """
    plan = runs.plan
    offered: dict[tuple[int, float], dict[str, int]] = {}
    for name, windows in runs.loaded():
        for window in windows:
            alike = offered.setdefault((window.block, plan.seconds_of(name)), {})
            alike[name] = window.offered
    short = {
        name: max(alike.values()) - count
        for alike in offered.values()
        for name, count in alike.items()
        if count < max(alike.values()) or count == 0
    }
    return Check(
        name="sent",
        question="Was every planned request sent, and its end recorded?",
        value=f"{sum(short.values())} missing",
        limit="0, of every subject",
        passed=bool(offered) and not short,
        sentence=f"Fewer requests than to others in the same block went to {listed([*short])}."
        if short
        else "In every block all subjects were sent the same requests.",
        voids=("failures",),
        helps="Begin the run anew (--fresh).",
    )


def _unserved(windows: tuple[Window, ...]) -> int:
    return sum(window.offered - window.served for window in windows)


def _most(runs: Runs, what: Callable[[tuple[Window, ...]], float]) -> tuple[float, str]:
    """The largest of the subjects, and whose it is: the reference's where there is none above 0."""
    found = [(what(windows), subject) for subject, windows in runs.loaded()]
    return max([(0.0, runs.plan.reference), *found], key=lambda pair: pair[0])


def freeze(runs: Runs) -> Check:
    """What the generator of this measurement saw of a server that is frozen now and then."""
    seen = runs.result.freeze
    off, limit = 1.0, (P95_S, P99_S)
    if seen is not None:
        limit = max(seen.given_p95_s, P95_S), max(seen.given_p99_s, P99_S)
        off = max(abs(seen.p95_s / limit[0] - 1), abs(seen.p99_s / limit[1] - 1))
    return Check(
        name="freeze",
        question="Does the generator see a server that stands still?",
        value=f"p95 {seen.p95_s:.3f} s, p99 {seen.p99_s:.3f} s" if seen else "-",
        limit=f"p95 {limit[0]:.3g} s, p99 {limit[1]:.3g} s, within {share(FREEZE)}",
        passed=off <= FREEZE,
        sentence=f"A server frozen 1 s in every 10 s is seen within {share(off, 1)} of its clock."
        if seen
        else "The freeze test was not run.",
        voids=("latency",),
        helps=QUIET,
    )


def slip(runs: Runs) -> Check:
    """Over all requests together: of one subject's few hundred, three late ones would decide."""
    pools = {subject: pooled(windows, "slip") for subject, windows in runs.loaded()}
    late = {subject: pool.quantile(0.99) for subject, pool in pools.items() if pool is not None}
    everything = pooled(tuple(chain.from_iterable(w for _, w in runs.loaded())), "slip")
    found = everything.quantile(0.99) if everything else np.inf
    worst = max(late, key=late.__getitem__, default="")
    return Check(
        name="slip",
        question="Were requests sent when they were meant to be?",
        value=f"p99 {found:.2f} ms" if late else "-",
        limit=f"{SLIP_MS:g} ms",
        passed=found <= SLIP_MS,
        sentence=f"1 in 100 requests left {found:.2f} ms late or later; of those to each subject, "
        f"{min(late.values()):.2f} to {late[worst]:.2f} ms, the latest to {worst}."
        if late
        else "No request was sent.",
        voids=("latency",),
        helps=QUIET,
    )


def even_slip(runs: Runs) -> Check:
    """Lateness that differs between subjects would be billed as their latency: each against the
    mean of its block, all tested together.
    """
    name, question = "even slip", "Were requests to all subjects equally punctual?"
    allowed = (
        f"half the A/A interval, or {share(CLAIMED)} of the smallest difference told if larger"
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
            sentence="There was no A/A, or a subject was sent nothing.",
            voids=("latency",),
            helps=QUIET,
        )
    blocks = {block for slips in found.values() for block in slips}
    usual = {b: float(np.mean([s[b] for s in found.values() if b in s])) for b in blocks}
    apart = {subject: difference(slips, usual) for subject, slips in found.items()}
    least = max(difference(*null).half_width, CLAIMED * _smallest_claim(runs))
    odd = holm({subject: p_value(slips, usual) for subject, slips in found.items()})
    farthest = max(apart, key=lambda subject: abs(apart[subject].mean))
    off = [subject for subject in sorted(odd) if abs(apart[subject].mean) > least]
    return Check(
        name=name,
        question=question,
        value=f"{abs(apart[farthest].mean):.3f} ms from the mean",
        limit=f"{least:.3f} ms",
        passed=not off,
        sentence=f"Requests to {listed(off)} left late or early in block after block."
        if off
        else f"Farthest from the mean of its blocks was {farthest}, by "
        f"{apart[farthest].mean:.3f} ms ({span(apart[farthest], 'ms')}). Allowed is {allowed}.",
        voids=("latency",),
        helps=QUIET,
    )


def _smallest_claim(runs: Runs) -> float:
    """Of the differences in mean latency that the bill would tell, in ms; 0 where it tells none."""
    mean = next(latency(runs))
    told = [abs(cell.change.mean) for cell in mean.cells if cell.visible] if mean else []
    return min(told, default=0.0)


def generator(runs: Runs) -> Check:
    """Over all windows of a subject; the busiest is told."""

    def used(windows: tuple[Window, ...]) -> float:
        seconds = sum(window.seconds for window in windows)
        return sum(window.generator_cpu_s for window in windows) / seconds if seconds else 0.0

    busy, name = _most(runs, used)
    return Check(
        name="generator",
        question="Had the generator time to spare?",
        value=f"{share(busy, 1)} of its core",
        limit=share(GENERATOR),
        passed=busy <= GENERATOR,
        sentence=f"It was busiest with {name}.",
        voids=("latency",),
        helps="A lower rate (--rate).",
    )


def core(runs: Runs) -> Check:
    """Over all windows of a subject; the one that others took most from is told."""

    def taken(windows: tuple[Window, ...]) -> float:
        told = [window for window in windows if window.others_s is not None]
        seconds = sum(window.seconds for window in told)
        return sum(window.others_s or 0.0 for window in told) / seconds if seconds else 0.0

    most, name = _most(runs, taken)
    return Check(
        name="own core",
        question="Had the subjects their core to themselves?",
        value=f"{share(most)} taken by others",
        limit=share(OTHERS),
        passed=most <= OTHERS,
        sentence=f"Other processes took {share(most)} of the subjects' core, most of it beside "
        f"{name}. Requests wait for that, and longer where more processes take part; the times of "
        "hops contain such waiting too.",
        voids=("latency",),
        helps=QUIET,
    )
