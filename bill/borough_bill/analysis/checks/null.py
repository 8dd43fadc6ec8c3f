"""Of the A/A: is the reference as good as itself?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.runs import Reading, Runs, series
from borough_bill.analysis.lines.windows import resident
from borough_bill.analysis.lines.words import amount, share, span
from borough_bill.analysis.statistics import difference, mean_of

NULL_LEVEL = 0.99
"""Two nulls at 95 % would void every tenth honest run; at 99 % it is every fiftieth."""
LAYOUT = 0.1
"""Of the reference's mean. Two processes of the same code keep a constant difference in speed, for
instance by where their memory lies (Mytkowicz et al., Producing wrong data without doing anything
obviously wrong, ASPLOS 2009), which enough blocks always find: 8 % were seen on an idle machine. No
line claims a difference that A/A shows, so up to here it voids nothing.
"""
FEWEST = 2
"""Blocks: one has no interval."""
TWINS = 0.05
"""Of the reference's memory. Two processes of the same code keep a constant difference of some
pages, which an interval over blocks would always find.
"""
HELPS = "More blocks (--blocks), or a machine that does less beside."


def again(runs: Runs, reading: Reading) -> tuple[dict[int, float], dict[int, float]] | None:
    """The twin and the reference, if at least two blocks hold both."""
    twin, base = (
        dict(series(runs.windows(subject), reading))
        for subject in (runs.plan.again, runs.plan.reference)
    )
    return (twin, base) if len(twin.keys() & base.keys()) >= FEWEST else None


def null(runs: Runs, family: Family, unit: str, reading: Reading) -> Check:
    """By the interval at `NULL_LEVEL` of the paired difference, and its share of the reference."""
    reference, pair = runs.plan.reference, again(runs, reading)
    limit = f"the {share(NULL_LEVEL)} interval contains 0, or {share(LAYOUT)} of {reference}"
    if pair is None:
        return _check(family, reference, "-", passed=False, sentence=_unpaired(), limit=limit)
    found, base = difference(*pair, level=NULL_LEVEL), mean_of(pair[1]).mean
    passed = not found.excludes_zero or abs(found.mean) <= LAYOUT * base
    if not found.excludes_zero:
        sentence = (
            f"Two instances of {reference} do not differ significantly in {family}; they may "
            f"differ by up to {amount(found.reach, unit)}."
        )
    elif passed:
        sentence = (
            f"Two instances of {reference} differ in {family} as two processes of the same code "
            f"do, by {share(abs(found.mean) / base)}; no line claims as little."
        )
    else:
        sentence = (
            f"Two instances of {reference} differ in {family}: any difference might be nothing."
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
    """By the mean difference over the reference's mean."""
    reference, pair = runs.plan.reference, again(runs, resident)
    limit = f"{share(TWINS)} of {reference}"
    if pair is None:
        return _check("memory", reference, "-", passed=False, sentence=_unpaired(), limit=limit)
    apart, base = difference(*pair).mean, mean_of(pair[1]).mean
    return _check(
        "memory",
        reference,
        amount(apart, "MiB"),
        passed=abs(apart) <= TWINS * base,
        sentence=f"Two instances of {reference} hold {amount(abs(apart), 'MiB')} more or less than "
        f"each other, of {amount(base, 'MiB')}.",
        limit=limit,
    )


def _unpaired() -> str:
    return "There are no two blocks that hold both."


def _check(  # noqa: PLR0913  # what differs between the three
    family: Family, reference: str, value: str, *, passed: bool, sentence: str, limit: str
) -> Check:
    return Check(
        name=f"A/A {family}",
        question=f"Is {reference} as good as itself?",
        value=value,
        limit=limit,
        passed=passed,
        sentence=sentence,
        voids=(family,),
        helps=HELPS,
        more=True,
    )
