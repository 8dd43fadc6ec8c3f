"""Of the A/A: is the reference as good as itself?"""

from borough_bill.checks.check import Check, missing
from borough_bill.lines.runs import Reading, Runs, series
from borough_bill.lines.words import amount, share, span
from borough_bill.statistics import difference

NULL_LEVEL = 0.99
"""Two nulls at 95 % would void every tenth honest run; at 99 % it is every fiftieth."""
FEWEST = 2
"""Blocks: one has no interval."""


def again(runs: Runs, reading: Reading) -> tuple[dict[int, float], dict[int, float]] | None:
    """The twin and the reference, if at least two blocks hold both."""
    twin, base = (
        dict(series(runs.windows(subject), reading))
        for subject in (runs.plan.again, runs.plan.reference)
    )
    return (twin, base) if len(twin.keys() & base.keys()) >= FEWEST else None


def null(runs: Runs, what: str, unit: str, reading: Reading) -> Check:
    """By the interval at `NULL_LEVEL` of the paired difference."""
    name, reference = f"A/A {what}", runs.plan.reference
    question = f"Is {reference} as good as itself?"
    limit = f"the {share(NULL_LEVEL)} interval contains 0"
    pair = again(runs, reading)
    if pair is None:
        return missing(name, question, limit, "There are no two blocks that hold both.")
    found = difference(*pair, level=NULL_LEVEL)
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
