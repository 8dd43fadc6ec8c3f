"""Of the ladder: is every rung there, and do its ends differ as the shapes do?"""

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.null import FEWEST
from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.ladder import BLUR, RESIDUAL, Ladder, closure
from borough_bill.analysis.lines.runs import Runs, cpu, mean_latency
from borough_bill.analysis.lines.words import listed, share
from borough_bill.results import RUNGS


def rungs(runs: Runs) -> Check:
    """With a latency and CPU in as many blocks as were planned."""
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
        voids=("latency", "CPU"),
        helps="Begin the run anew (--fresh).",
    )


def closed(runs: Runs, ladder: Ladder | None, family: Family) -> Check:
    """The residual, against what may be and what chance may do."""
    found = Check(
        name=f"closure of {family}",
        question=f"Do the ladder's ends differ in {family} by what the shapes differ?",
        value="-",
        limit=f"{share(RESIDUAL)}, or {share(BLUR)} by chance",
        passed=False,
        sentence="The ladder has no block in common.",
        voids=(family,),
        helps="More blocks (--blocks), or a machine that does less beside.",
        more=True,
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
