"""Lines D18: how much of the price of a shape is the saga, and how much the boundaries.

The baseline is the same order as one transaction on one database. What the reference costs more
than the baseline is the saga and its store for each capability, without any boundary. What a shape
costs more than the reference is its boundaries.
"""

from collections.abc import Iterator

from borough_bill.analysis.lines.cpu import CLOCK
from borough_bill.analysis.lines.formats import amount, article, share, span
from borough_bill.analysis.lines.latency import SOURCE
from borough_bill.analysis.lines.line import Line, Topic, limit_of, line, per_served
from borough_bill.analysis.lines.runs import (
    Reading,
    Runs,
    cpu,
    mean_latency,
    mean_of_instances,
    series,
)


def saga(runs: Runs) -> Iterator[Line | None]:
    """Latency, CPU and commits against the baseline; no line where there is none."""
    noun = article(runs.plan.noun)
    lead = f"On average {noun} takes"
    topic = Topic("D18", "latency", "latency, mean", "ms", SOURCE, lead, "longer", "less")
    yield _line(runs, topic, mean_latency)
    cost = f"{noun.capitalize()} costs"
    yield _line(
        runs, Topic("D18", "CPU", f"CPU of {noun}", "us", CLOCK, cost, "more CPU", "less CPU"), cpu
    )
    lead = f"For {noun} the stores make"
    counted = per_served(lambda window: sum(window.transactions.values()))
    topic = Topic("D18", "hops", f"commits of {noun}", "commits", "the stores' counters", lead)
    yield _line(runs, topic, lambda w: counted(w) if w.transactions else None)


def _line(runs: Runs, topic: Topic, reading: Reading) -> Line | None:
    plan = runs.plan
    if plan.baseline is None:
        return None
    found = {
        subject: series(runs.windows(subject), reading)
        for subject in (plan.baseline, plan.reference, plan.again, *plan.shapes)
    }
    base, again = found.pop(plan.baseline), found.pop(plan.again)
    reference = found[plan.reference]
    limit = limit_of(again, reference, runs.level)
    found[plan.reference] = mean_of_instances(reference, again)
    made = line("saga", topic, (plan.baseline, base), found, limit, runs.level)
    return (
        None
        if made is None
        else made.model_copy(
            update={
                "sentence": f"{made.sentence} {_split(made, plan.reference, plan.top)}".rstrip()
            }
        )
    )


def _split(made: Line, reference: str, top: str | None) -> str:
    """The shares of saga and boundaries in the price of shape `top`, where both differ."""
    cells = {cell.subject: cell for cell in made.cells}
    saga_only, all_of_it = cells.get(reference), cells.get(top or "")
    if saga_only is None or all_of_it is None or not (saga_only.differs and all_of_it.differs):
        return ""
    saga, whole, unit = saga_only.change.mean, all_of_it.change.mean, made.unit
    if not 0 < saga < whole:
        return ""
    return (
        f"Of the {amount(whole, unit)} between {made.reference} and {top}, {amount(saga, unit)} "
        f"({share(saga / whole)}; {span(saga_only.change, unit)}) are the saga and its separate "
        f"stores, which {reference} has too, and {amount(whole - saga, unit)} "
        f"({share(1 - saga / whole)}) the boundaries."
    )
