"""What must hold before anything is believed: each check a question, asked of the measurement.

A limit stands here, fixed before the data. Where a check fails the bill is void, whatever it says.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.lines.ladder import BLUR, RESIDUAL, Ladder, closure, cpu_ladder, latency_ladder
from borough_bill.lines.latency import latency
from borough_bill.lines.runs import Reading, Runs, cpu, mean_latency, pooled, series
from borough_bill.lines.words import amount, listed, share, span
from borough_bill.results import RUNGS
from borough_bill.statistics import difference, holm, p_value

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
FEWEST, ENOUGH = 2, 10
"""Blocks: one has no interval, and with fewer than ten of ours chance decides too much."""
CLAIMED = 0.05
"""Of the smallest difference that is claimed: lateness below it changes no figure that is told."""
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
    if ours or runs.result.audits:
        yield _audited(runs)
    if ours:
        yield _rungs(runs)
        yield _closed(runs, latency_ladder(runs), "latency")
        yield _closed(runs, cpu_ladder(runs), "CPU")


def _blocks(runs: Runs) -> Check:
    """A block counts when every subject stands in it: pairs are made within blocks."""
    found = [{window.block for window in runs.windows(subject)} for subject in runs.plan.subjects]
    whole = set.intersection(*found)
    planned = max(runs.plan.blocks, FEWEST if runs.result.kind == "compare" else ENOUGH)
    missing = [
        subject
        for subject, blocks in zip(runs.plan.subjects, found, strict=True)
        if len(blocks) < runs.plan.blocks
    ]
    sentence = "Every block is whole."
    if missing:
        sentence = f"Too few blocks: windows are missing of {listed(missing)}."
    elif len(whole) < planned:
        sentence = f"Too few blocks to believe anything: {len(whole)} were planned."
    return Check(
        name="blocks",
        question="Was every planned block measured, with every subject in it?",
        value=f"{len(whole)}",
        limit=f"{planned} or more",
        passed=len(whole) >= planned,
        sentence=sentence,
    )


def _served(runs: Runs) -> Check:
    worst, name, counts = 0.0, runs.plan.reference, set[int]()
    for subject, windows in runs.loaded():
        offered = sum(window.offered for window in windows)
        unserved = offered - sum(window.served for window in windows)
        counts.add(unserved)
        lost = unserved / offered if offered else 1.0
        if lost > worst:
            worst, name = lost, subject
    return Check(
        name="served",
        question="Did everybody answer every request, and as expected?",
        value=f"{share(worst, 2)} not served",
        limit=f"0, or < {share(UNSERVED, 1)} and all alike",
        passed=worst == 0 or (worst < UNSERVED and len(counts) == 1),
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
    """Over all requests together: of one subject's few hundred, three late ones would decide."""
    question, limit = "Were requests sent when they were meant to be?", f"{SLIP_MS:g} ms"
    pools = {subject: pooled(windows, "slip") for subject, windows in runs.loaded()}
    late = {subject: pool.quantile(0.99) for subject, pool in pools.items() if pool is not None}
    everything = pooled(tuple(chain.from_iterable(w for _, w in runs.loaded())), "slip")
    if everything is None:
        return _missing("slip", question, limit, "No request was sent.")
    found, worst = everything.quantile(0.99), max(late, key=late.__getitem__)
    return Check(
        name="slip",
        question=question,
        value=f"p99 {found:.2f} ms",
        limit=limit,
        passed=found <= SLIP_MS,
        sentence=f"1 in 100 requests left {found:.2f} ms late or later; of those to each subject, "
        f"{min(late.values()):.2f} to {late[worst]:.2f} ms, the latest to {worst}.",
    )


def _even_slip(runs: Runs) -> Check:
    """Lateness that differs between subjects would be billed as their latency: each against the
    mean of its block, all tested together.
    """
    name, question = "even slip", "Were requests to all subjects equally punctual?"
    allowed = (
        f"half the A/A interval, or {share(CLAIMED)} of the smallest difference told if larger"
    )
    null = _again(runs, mean_latency)
    found = {s: series(w, lambda w: w.slip.mean if w.slip else None) for s, w in runs.loaded()}
    if null is None or not all(found.values()):
        return _missing(
            name, question, allowed, "There was no A/A, or nothing was sent to somebody."
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
    )


def _smallest_claim(runs: Runs) -> float:
    """Of the differences in mean latency that the bill would tell, in ms; 0 where it tells none."""
    mean = next(latency(runs))
    told = [abs(cell.change.mean) for cell in mean.cells if cell.visible] if mean else []
    return min(told, default=0.0)


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
        sentence=f"Two instances of {reference} could not be told apart in {what}; they may differ "
        f"by up to {amount(found.reach, unit)}."
        if not found.excludes_zero
        else f"Two instances of {reference} differ in {what}, so any difference might be nothing.",
    )


def _audited(runs: Runs) -> Check:
    plan, audits = runs.plan, runs.result.audits
    strangers = runs.result.kind == "compare"  # who can be asked was, and A again is A
    shapes = tuple(audits) if strangers else (plan.reference, plan.again, *plan.shapes)
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
    question = f"Do the ladder's ends differ in {what} by what the shapes differ?"
    limit = f"{share(RESIDUAL)}, or {share(BLUR)} by chance"
    if ladder is None:
        return _missing(f"closure, {what}", question, limit, "The ladder has no block in common.")
    return Check(
        name=f"closure, {what}",
        question=question,
        value=f"{share(ladder.residual_share, 1)} ± {share(ladder.chance_share)} unexplained",
        limit=limit,
        passed=ladder.closes,
        sentence=closure(ladder, runs.plan.reference, runs.plan.top or ""),
    )


def _missing(name: str, question: str, limit: str, sentence: str) -> Check:
    return Check(
        name=name, question=question, value="-", limit=limit, passed=False, sentence=sentence
    )
