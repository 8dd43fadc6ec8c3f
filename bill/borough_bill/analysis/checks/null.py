"""Checks of the A/A comparison: do two instances of the reference measure the same?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.formats import amount, share, span
from borough_bill.analysis.lines.runs import Reading, Runs, series
from borough_bill.analysis.lines.windows import resident
from borough_bill.analysis.statistics import difference, mean_of

NULL_LEVEL = 0.99
"""Two such checks at 95 % would void one in ten runs by chance; at 99 % it is one in fifty."""
SPEED_LIMIT = 0.1
"""Share of the reference's mean. Two processes of the same code keep a constant difference in speed
that depends, for instance, on their memory layout (Mytkowicz et al., Producing wrong data without
doing anything obviously wrong, ASPLOS 2009). Enough blocks always find it: 8 % were measured on an
idle machine. No line claims a difference within A/A, so up to this limit nothing is void.
"""
FEWEST = 2
"""Blocks that an interval needs."""
MEMORY_LIMIT = 0.05
"""Share of the reference's memory. Two processes of the same code keep a constant difference of
some pages, which an interval over blocks would always find.
"""
UNPAIRED = "Fewer than two blocks hold both instances."
REMEDY = "More blocks (--blocks), or a less busy machine."


def again(runs: Runs, reading: Reading) -> tuple[dict[int, float], dict[int, float]] | None:
    """The series of the second instance and of the reference, if FEWEST blocks hold both."""
    second, base = (
        dict(series(runs.windows(subject), reading))
        for subject in (runs.plan.again, runs.plan.reference)
    )
    return (second, base) if len(second.keys() & base.keys()) >= FEWEST else None


def null(runs: Runs, family: Family, unit: str, reading: Reading) -> Check:
    """The interval of the paired difference contains 0, or it is at most SPEED_LIMIT."""
    reference, pair = runs.plan.reference, again(runs, reading)
    limit = f"the {share(NULL_LEVEL)} interval contains 0, or {share(SPEED_LIMIT)} of {reference}"
    if pair is None:
        return _check(family, reference, "-", passed=False, sentence=UNPAIRED, limit=limit)
    found, base = difference(*pair, level=NULL_LEVEL), mean_of(pair[1]).mean
    passed = not found.excludes_zero or abs(found.mean) <= SPEED_LIMIT * base
    if not found.excludes_zero:
        sentence = (
            f"The difference in {family} of two instances of {reference} is not significant; it "
            f"may be up to {amount(found.reach, unit)}."
        )
    elif passed:
        sentence = (
            f"Two instances of {reference} differ in {family} by {share(abs(found.mean) / base)}, "
            "as two processes of the same code may; no line claims a difference that small."
        )
    else:
        sentence = (
            f"Two instances of {reference} differ in {family}, so a difference of a shape may not "
            "come from the shape."
        )
    return _check(
        family,
        reference,
        f"{amount(found.mean, unit)} ({span(found, unit)})",
        passed=passed,
        sentence=sentence,
        limit=limit,
    )


def null_memory(runs: Runs) -> Check:
    """The mean difference is at most MEMORY_LIMIT of the reference's mean."""
    reference, pair = runs.plan.reference, again(runs, resident)
    limit = f"{share(MEMORY_LIMIT)} of {reference}"
    if pair is None:
        return _check("memory", reference, "-", passed=False, sentence=UNPAIRED, limit=limit)
    apart, base = difference(*pair).mean, mean_of(pair[1]).mean
    return _check(
        "memory",
        reference,
        amount(apart, "MiB"),
        passed=abs(apart) <= MEMORY_LIMIT * base,
        sentence=f"Two instances of {reference} differ by {amount(abs(apart), 'MiB')}, of "
        f"{amount(base, 'MiB')}.",
        limit=limit,
    )


def _check(  # noqa: PLR0913  # what the three calls differ in
    family: Family, reference: str, value: str, *, passed: bool, sentence: str, limit: str
) -> Check:
    return Check(
        name=f"A/A {family}",
        question=f"Do two instances of {reference} measure the same?",
        value=value,
        limit=limit,
        passed=passed,
        sentence=sentence,
        voids=(family,),
        remedy=REMEDY,
        more_blocks_help=True,
    )
