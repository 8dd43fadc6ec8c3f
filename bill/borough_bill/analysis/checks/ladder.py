"""Checks of the ladder: is every rung there, and do its ends differ as the shapes do?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import FEWEST
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.formats import listed, share
from borough_bill.analysis.lines.ladder import CHANCE_LIMIT, RESIDUAL, Ladder, closure
from borough_bill.analysis.lines.runs import Runs, cpu, mean_latency
from borough_bill.results import RUNGS, titled


def rungs(runs: Runs) -> Check:
    """Every rung has latency and CPU in as many blocks as were planned."""
    planned = max(runs.plan.blocks, FEWEST)
    counts = {
        rung: len([w for w in runs.rung(rung) if mean_latency(w) and cpu(w)]) for rung in RUNGS
    }
    gaps = [titled(rung) for rung, count in counts.items() if count < planned]
    return Check(
        name="ladder",
        question="Is every rung of the ladder in every block?",
        value=f"{len(RUNGS) - len(gaps)} of {len(RUNGS)} rungs",
        limit=f"all, in {planned} blocks",
        passed=not gaps,
        sentence=f"Blocks are missing for {listed(gaps)}."
        if gaps
        else f"All rungs from {titled(RUNGS[0])} to {titled(RUNGS[-1])} are complete.",
        voids=("latency", "CPU"),
        remedy="Begin the run anew (--fresh).",
    )


def closed(runs: Runs, ladder: Ladder | None, family: Family) -> Check:
    """The residual is at most RESIDUAL of the difference, or chance explains it."""
    found = Check(
        name=f"closure of {family}",
        question=f"Do the ends of the ladder differ in {family} as much as the shapes do?",
        value="-",
        limit=f"{share(RESIDUAL)}, or {share(CHANCE_LIMIT)} by chance",
        passed=False,
        sentence="No block holds all rungs and both shapes.",
        voids=(family,),
        remedy="More blocks (--blocks), or a less busy machine.",
        more_blocks_help=True,
    )
    if ladder is None:
        return found
    residual, chance = share(ladder.residual_share, 1), share(ladder.chance_share)
    return found.model_copy(
        update={
            "value": f"{residual} ± {chance} unexplained",
            "passed": ladder.closes,
            "sentence": closure(ladder, runs.plan.reference, runs.plan.top or ""),
        }
    )
