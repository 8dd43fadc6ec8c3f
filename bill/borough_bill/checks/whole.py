"""Of the whole: are all blocks there, and are the books in order?"""

from borough_bill.checks.check import Check
from borough_bill.checks.null import FEWEST
from borough_bill.families import LOADED
from borough_bill.lines.runs import Runs
from borough_bill.lines.words import listed

ENOUGH = 10
"""Blocks: with fewer of ours chance decides too much."""
NOTHING_LOST = "nothing lost"
"""The one check that a noisy machine cannot fail."""


def blocks(runs: Runs) -> Check:
    """A block counts when every subject stands in it: pairs are made within blocks."""
    found = [{window.block for window in runs.windows(subject)} for subject in runs.plan.subjects]
    whole, begun = set.intersection(*found), set.union(*found)
    needed = max(runs.plan.blocks, FEWEST if runs.result.kind == "compare" else ENOUGH)
    missing = [
        subject for subject, held in zip(runs.plan.subjects, found, strict=True) if held != begun
    ]
    sentence = "Every block is whole."
    if len(whole) < len(begun):
        sentence = f"Blocks are not whole: windows are missing of {listed(missing)}."
    elif len(whole) < needed:
        sentence = f"Too few blocks to believe anything: {len(whole)} were measured."
    return Check(
        name="blocks",
        question="Was every block measured that is needed, with every subject in it?",
        value=f"{len(whole)}",
        limit=f"{needed} or more, all whole",
        passed=len(whole) == len(begun) >= needed,
        sentence=sentence,
        voids=LOADED,
        helps="More time: a machine that does less beside, or `run`, which has no bound of time.",
        more=True,
    )


def audited(runs: Runs) -> Check:
    """What the auditor found after the load, in each shape that was to be asked."""
    plan, audits = runs.plan, runs.result.audits
    strangers = runs.result.kind == "compare"  # who can be asked was, and A again is A
    shapes = tuple(audits) if strangers else (plan.reference, plan.again, *plan.shapes)
    unasked = [shape for shape in shapes if shape not in audits]
    complaints = complaints_of(runs)
    sentence = "The auditor found no order lost, charged twice or oversold."
    if unasked:
        sentence = f"The auditor was not asked about {listed(unasked)}."
    if complaints:
        sentence = f"{complaints[0]}."
    return Check(
        name=NOTHING_LOST,
        question="Are the books of every shape in order?",
        value=f"{len(complaints)} complaints",
        limit="0, of every shape",
        passed=not complaints and not unasked,
        sentence=sentence,
        voids=("books",),
        helps="This is an error of the application, and no machine's: keep the folder of the run, "
        "which holds the stores."
        if complaints
        else "Begin the run anew (--fresh).",
    )


def complaints_of(runs: Runs) -> tuple[str, ...]:
    """What the auditor and the customers complain of, with the name of the shape."""
    return tuple(
        f"{shape}: {text}" for shape, texts in runs.result.audits.items() for text in texts
    )
