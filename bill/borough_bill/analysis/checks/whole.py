"""Of the whole: are all blocks there, and are the books in order?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import FEWEST
from borough_bill.analysis.families import LOADED
from borough_bill.analysis.lines.runs import Runs
from borough_bill.analysis.lines.words import listed

ENOUGH, SOME = 10, 3
"""Blocks of ours for latency and CPU, of which chance decides too much with fewer; and for memory,
hops and failures, which are almost the same in every block.
"""
NOTHING_LOST = "nothing lost"
"""The one check that a noisy machine cannot fail."""
TIME = "More time: a machine that does less beside, or more blocks (--blocks)."


def whole(runs: Runs) -> Check:
    """Pairs are made within blocks: one that lacks a subject would be left out of some lines."""
    held = _held(runs)
    whole, begun = set.intersection(*held.values()), set.union(*held.values())
    lacking = [subject for subject, blocks in held.items() if blocks != begun]
    needed = FEWEST if runs.result.kind == "compare" else SOME
    sentence = "Every block is whole."
    if lacking:
        sentence = f"Windows are missing of {listed(lacking)}."
    elif len(whole) < needed:
        sentence = f"There are only {len(whole)} blocks."
    return Check(
        name="whole blocks",
        question="Does every subject stand in every block?",
        value=f"{len(whole)} whole, of {len(begun)}",
        limit=f"all, and {needed} or more",
        passed=len(whole) == len(begun) >= needed,
        sentence=sentence,
        voids=LOADED,
        helps=TIME,
        more=True,
    )


def blocks(runs: Runs) -> Check:
    """Whether there are enough of them for what varies from block to block."""
    found = len(set.intersection(*_held(runs).values()))
    needed = max(runs.plan.blocks, FEWEST if runs.result.kind == "compare" else ENOUGH)
    return Check(
        name="blocks",
        question="Were enough blocks measured for what varies between them?",
        value=f"{found}",
        limit=f"{needed} or more",
        passed=found >= needed,
        sentence="There are as many as were planned at least."
        if found >= needed
        else f"Too few blocks: {found} of {needed} were measured.",
        voids=("latency", "CPU"),
        helps=TIME,
        more=True,
    )


def _held(runs: Runs) -> dict[str, set[int]]:
    """The blocks that each subject stands in."""
    return {
        subject: {window.block for window in runs.windows(subject)}
        for subject in runs.plan.subjects
    }


def audited(runs: Runs) -> Check:
    """What the auditor found after the load, in each shape that was to be asked."""
    plan, audits = runs.plan, runs.result.audits
    strangers = runs.result.kind == "compare"  # who can be asked was, and A again is A
    shapes = tuple(audits) if strangers else (plan.reference, plan.again, *plan.shapes)
    unasked = [shape for shape in shapes if shape not in audits]
    complaints = complaints_of(runs)
    sentence = "The auditor found no law of the application broken."
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
