"""Of the whole: are all blocks there, and are the books in order?"""

from borough_bill.checks.check import Check
from borough_bill.checks.null import FEWEST
from borough_bill.lines.runs import Runs
from borough_bill.lines.words import listed

ENOUGH = 10
"""Blocks: with fewer of ours chance decides too much."""
NOTHING_LOST = "nothing lost"
"""The one check that a noisy machine cannot fail."""


def blocks(runs: Runs) -> Check:
    """A block counts when every subject stands in it: pairs are made within blocks."""
    found = [{window.block for window in runs.windows(subject)} for subject in runs.plan.subjects]
    whole = set.intersection(*found)
    planned = max(runs.plan.blocks, FEWEST if runs.result.kind == "compare" else ENOUGH)
    missing = [
        subject
        for subject, held in zip(runs.plan.subjects, found, strict=True)
        if len(held) < runs.plan.blocks
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


def audited(runs: Runs) -> Check:
    """What the auditor found after the load, in each shape that was to be asked."""
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
