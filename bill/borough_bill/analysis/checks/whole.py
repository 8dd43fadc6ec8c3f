"""Checks of completeness: is every block there, and did the auditor find no violation?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import FEWEST
from borough_bill.analysis.families import LOADED
from borough_bill.analysis.lines.formats import listed
from borough_bill.analysis.lines.runs import Runs

ENOUGH, SOME = 10, 3
"""Blocks that latency and CPU need, since they vary from block to block; and blocks that memory,
hops and failures need, which hardly vary.
"""
NOTHING_LOST = "nothing lost"
REMEDY = "More time: a less busy machine, or more blocks (--blocks)."


def whole(runs: Runs) -> Check:
    """Every block has all subjects, so that all lines pair the same blocks."""
    held = _held(runs)
    whole, begun = set.intersection(*held.values()), set.union(*held.values())
    incomplete = [subject for subject, blocks in held.items() if blocks != begun]
    needed = FEWEST if runs.result.kind == "compare" else SOME
    sentence = "Every block has all subjects."
    if incomplete:
        sentence = f"Windows are missing of {listed(incomplete)}."
    elif len(whole) < needed:
        sentence = f"There are only {len(whole)} blocks."
    return Check(
        name="whole blocks",
        question="Is every subject in every block?",
        value=f"{len(whole)} whole, of {len(begun)}",
        limit=f"all, and {needed} or more",
        passed=len(whole) == len(begun) >= needed,
        sentence=sentence,
        voids=LOADED,
        remedy=REMEDY,
        more_blocks_help=True,
    )


def blocks(runs: Runs) -> Check:
    """There are enough blocks for what varies from block to block."""
    found = len(set.intersection(*_held(runs).values()))
    needed = max(runs.plan.blocks, FEWEST if runs.result.kind == "compare" else ENOUGH)
    return Check(
        name="blocks",
        question="Were enough blocks measured for what varies between them?",
        value=f"{found}",
        limit=f"{needed} or more",
        passed=found >= needed,
        sentence="At least as many as planned were measured."
        if found >= needed
        else f"Too few blocks: {found} of {needed} were measured.",
        voids=("latency", "CPU"),
        remedy=REMEDY,
        more_blocks_help=True,
    )


def _held(runs: Runs) -> dict[str, set[int]]:
    """The blocks of each subject."""
    return {
        subject: {window.block for window in runs.windows(subject)}
        for subject in runs.plan.subjects
    }


def audited(runs: Runs) -> Check:
    """After the load the auditor found no violation, in any shape that was to be audited."""
    plan, audits = runs.plan, runs.result.audits
    compared = runs.result.kind == "compare"  # audited where it can be; A again is A
    shapes = tuple(audits) if compared else (plan.reference, plan.again, *plan.shapes)
    missing = [shape for shape in shapes if shape not in audits]
    violations = violations_of(runs)
    sentence = "The auditor found no violation of the application's laws."
    if missing:
        sentence = f"The auditor did not read the stores of {listed(missing)}."
    if violations:
        sentence = f"{violations[0]}."
    return Check(
        name=NOTHING_LOST,
        question="Does the auditor find no violation in the stores of any shape?",
        value=f"{len(violations)} violations",
        limit="0, of every shape",
        passed=not violations and not missing,
        sentence=sentence,
        voids=("books",),
        remedy="This is an error of the application, not of the machine: keep the folder of the "
        "run, which holds the stores."
        if violations
        else "Begin the run anew (--fresh).",
    )


def violations_of(runs: Runs) -> tuple[str, ...]:
    """What the auditor found, and orders that the stores lack, with the name of the shape."""
    return tuple(
        f"{shape}: {text}" for shape, texts in runs.result.audits.items() for text in texts
    )
