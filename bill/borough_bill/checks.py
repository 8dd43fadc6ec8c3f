"""What must hold before anything is believed: each check a question, asked of the measurement.

A limit stands here, fixed before the data. Where a check fails the bill is void, whatever it says.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.lines.ladder import RESIDUAL, Ladder, closure, cpu_ladder, latency_ladder
from borough_bill.lines.runs import Reading, Runs, cpu, mean_latency, pooled, series
from borough_bill.lines.words import amount, listed, share, span
from borough_bill.results import RUNGS
from borough_bill.statistics import difference

P95_S, P99_S, FREEZE = 0.5, 0.9, 0.05
"""What arithmetic says of a server frozen 1 s in every 10 s under a uniform load: a tail of
P(latency > x) = (1 s - x) / 10 s; and how far a generator may be from it.
"""
SLIP_MS = 5.0
GENERATOR = 0.7
"""Of its core; above, requests begin to wait for the generator rather than for the subject."""
UNSERVED = 0.001
NULL_LEVEL = 0.99
"""Two nulls at 95 % would void every tenth honest run; at 99 % it is every fiftieth."""
FEWEST = 2
"""Blocks: one has no interval."""
NOTHING_LOST = "nothing lost"
"""The one check that a noisy machine cannot fail."""


class Check(BaseModel):
    """A question, what was found, what was allowed, and one sentence."""

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    value: str
    limit: str
    passed: bool
    sentence: str


def checks(runs: Runs) -> tuple[Check, ...]:
    """Every check that this kind of measurement must pass, in the order of dependence."""
    return tuple(_checks(runs))


def _checks(runs: Runs) -> Iterator[Check]:
    ours = runs.result.kind != "compare"
    yield _blocks(runs)
    yield _served(runs)
    if ours or runs.result.freeze is not None:
        yield _freeze(runs)
    yield _slip(runs)
    yield _even_slip(runs)
    yield _generator(runs)
    yield _null(runs, "latency", "ms", mean_latency)
    if ours or any(window.cpu_s for window in runs.windows(runs.plan.reference)):
        yield _null(runs, "CPU", "us", cpu)
    if ours:
        yield _audited(runs)
        yield _rungs(runs)
        yield _closed(runs, latency_ladder(runs), "latency")
        yield _closed(runs, cpu_ladder(runs), "CPU")


def _blocks(runs: Runs) -> Check:
    """A block counts when every subject stands in it: pairs are made within blocks."""
    found = [{window.block for window in runs.windows(subject)} for subject in runs.plan.subjects]
    whole = set.intersection(*found)
    planned = max(runs.plan.blocks, FEWEST)
    missing = [
        subject
        for subject, blocks in zip(runs.plan.subjects, found, strict=True)
        if len(blocks) < planned
    ]
    return Check(
        name="blocks",
        question="Was every planned block measured, with every subject in it?",
        value=f"{len(whole)}",
        limit=f"{planned} or more",
        passed=len(whole) >= planned,
        sentence=f"Too few windows of {listed(missing)}." if missing else "Every block is whole.",
    )


def _served(runs: Runs) -> Check:
    worst, name = 0.0, runs.plan.reference
    for subject, windows in runs.loaded():
        offered = sum(window.offered for window in windows)
        lost = 1 - sum(window.served for window in windows) / offered if offered else 1.0
        if lost > worst:
            worst, name = lost, subject
    return Check(
        name="served",
        question="Did everybody answer every request, and as expected?",
        value=f"{share(worst, 2)} not served",
        limit=share(UNSERVED, 1),
        passed=worst <= UNSERVED,
        sentence=f"{name} left out {share(worst, 2)}; errors are cheap, and would flatter it."
        if worst
        else "Every request was answered, and every answer was the expected one.",
    )


def _freeze(runs: Runs) -> Check:
    seen = runs.result.freeze
    question = "Does the generator see a server that stands still?"
    limit = f"p95 {P95_S} s, p99 {P99_S} s, within {share(FREEZE)}"
    if seen is None:
        return _missing("freeze", question, limit, "The freeze test was not run.")
    off = max(abs(seen.p95_s / P95_S - 1), abs(seen.p99_s / P99_S - 1))
    return Check(
        name="freeze",
        question=question,
        value=f"p95 {seen.p95_s:.3f} s, p99 {seen.p99_s:.3f} s",
        limit=limit,
        passed=off <= FREEZE,
        sentence=f"A server frozen 1 s in every 10 s is seen within {share(off, 1)} of arithmetic.",
    )


def _slip(runs: Runs) -> Check:
    worst, name = 0.0, runs.plan.reference
    for subject, windows in runs.loaded():
        pool = pooled(windows, "slip")
        found = np.inf if pool is None else pool.quantile(0.99)
        if found > worst:
            worst, name = found, subject
    return Check(
        name="slip",
        question="Were requests sent when they were meant to be?",
        value=f"p99 {worst:.2f} ms",
        limit=f"{SLIP_MS:g} ms",
        passed=worst <= SLIP_MS,
        sentence=f"At worst, before {name}, 1 in 100 requests left {worst:.2f} ms late or later.",
    )


def _even_slip(runs: Runs) -> Check:
    """Lateness that differs between subjects would be billed as their latency."""
    question = "Were requests to all subjects equally punctual?"
    values = {
        subject: float(np.mean([w.slip.mean for w in windows if w.slip is not None] or [np.inf]))
        for subject, windows in runs.loaded()
    }
    null = _again(runs, mean_latency)
    if null is None or not values:
        return _missing("even slip", question, "half the A/A interval", "There was no A/A.")
    latest, earliest = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    apart = values[latest] - values[earliest]
    limit = difference(*null).half_width
    return Check(
        name="even slip",
        question=question,
        value=f"{apart:.3f} ms apart",
        limit=f"{limit:.3f} ms, half the A/A interval",
        passed=apart <= limit,
        sentence=f"On average requests to {latest} left {values[latest]:.3f} ms late, those to "
        f"{earliest} {values[earliest]:.3f} ms.",
    )


def _generator(runs: Runs) -> Check:
    busy, name = 0.0, runs.plan.reference
    for subject, windows in runs.loaded():
        seconds = sum(window.seconds for window in windows)
        used = sum(window.generator_cpu_s for window in windows) / seconds if seconds else 0.0
        if used > busy:
            busy, name = used, subject
    return Check(
        name="generator",
        question="Had the generator time to spare?",
        value=f"{share(busy, 1)} of its core",
        limit=share(GENERATOR),
        passed=busy <= GENERATOR,
        sentence=f"It was busiest with {name}.",
    )


def _again(runs: Runs, reading: Reading) -> tuple[dict[int, float], dict[int, float]] | None:
    """The twin and the reference, if at least two blocks hold both."""
    again, base = (
        dict(series(runs.windows(subject), reading))
        for subject in (runs.plan.again, runs.plan.reference)
    )
    return (again, base) if len(again.keys() & base.keys()) >= FEWEST else None


def _null(runs: Runs, what: str, unit: str, reading: Reading) -> Check:
    name, reference = f"A/A {what}", runs.plan.reference
    question = f"Is {reference} as good as itself?"
    limit = f"the {share(NULL_LEVEL)} interval contains 0"
    null = _again(runs, reading)
    if null is None:
        return _missing(name, question, limit, "There are no two blocks that hold both.")
    found = difference(*null, level=NULL_LEVEL)
    return Check(
        name=name,
        question=question,
        value=f"{amount(found.mean, unit)} ({span(found, unit)})",
        limit=limit,
        passed=not found.excludes_zero,
        sentence=f"Two instances of {reference} differ in {what} by chance only."
        if not found.excludes_zero
        else f"Two instances of {reference} differ in {what}, so any difference might be nothing.",
    )


def _audited(runs: Runs) -> Check:
    plan = runs.plan
    shapes = (plan.reference, plan.again, *plan.shapes)
    audits = runs.result.audits
    unasked = [shape for shape in shapes if shape not in audits]
    complaints = [f"{shape}: {text}" for shape, texts in audits.items() for text in texts]
    sentence = "The auditor found no order lost, charged twice or oversold."
    if unasked:
        sentence = f"Nobody audited {listed(unasked)}."
    if complaints:
        sentence = f"{complaints[0]}."
    return Check(
        name=NOTHING_LOST,
        question="Are the books of every shape in order?",
        value=f"{len(complaints)} complaints",
        limit="0, of every shape",
        passed=not complaints and not unasked,
        sentence=sentence,
    )


def _rungs(runs: Runs) -> Check:
    planned = max(runs.plan.blocks, FEWEST)
    counts = {
        rung: len([w for w in runs.rung(rung) if mean_latency(w) and cpu(w)]) for rung in RUNGS
    }
    gaps = [rung for rung, count in counts.items() if count < planned]
    return Check(
        name="ladder",
        question="Is every rung of the ladder there, in every block?",
        value=f"{len(RUNGS) - len(gaps)} of {len(RUNGS)} rungs",
        limit=f"all, in {planned} blocks",
        passed=not gaps,
        sentence=f"{listed(gaps)}: {'is' if len(gaps) == 1 else 'are'} missing from some block."
        if gaps
        else f"From {RUNGS[0]} to {RUNGS[-1]} there is no gap.",
    )


def _closed(runs: Runs, ladder: Ladder | None, what: str) -> Check:
    question = f"Do the rungs explain the {what} that is billed?"
    limit = f"{share(RESIDUAL)} unexplained"
    if ladder is None:
        return _missing(f"closure, {what}", question, limit, "The ladder has no block in common.")
    return Check(
        name=f"closure, {what}",
        question=question,
        value=f"{share(ladder.residual_share, 1)} unexplained",
        limit=limit,
        passed=ladder.closes,
        sentence=closure(ladder, runs.plan.reference, runs.plan.top or ""),
    )


def _missing(name: str, question: str, limit: str, sentence: str) -> Check:
    return Check(
        name=name, question=question, value="-", limit=limit, passed=False, sentence=sentence
    )
