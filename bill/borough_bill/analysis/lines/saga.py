"""D18: how much of a price is the boundary, and how much the saga that makes it safe.

The baseline is the same order as one transaction on one database. What the reference costs more
than that is the saga and a store for each capability, paid without any boundary; what a shape costs
more than the reference is the boundary.
"""

from collections.abc import Iterator

from borough_bill.analysis.lines.cpu import CLOCK
from borough_bill.analysis.lines.latency import SOURCE
from borough_bill.analysis.lines.line import Line, Topic, line, per_served, visible_from
from borough_bill.analysis.lines.runs import Reading, Runs, cpu, mean_latency, series, twins
from borough_bill.analysis.lines.words import amount, article, share, span


def saga(runs: Runs) -> Iterator[Line | None]:
    """Latency, CPU and commits against the baseline; nothing where there is none."""
    noun = article(runs.plan.noun)
    yield _line(
        runs,
        Topic(
            "D18",
            "latency",
            "latency, mean",
            "ms",
            SOURCE,
            f"On average {noun} takes",
            "longer",
            "less",
        ),
        mean_latency,
    )
    cost = f"{noun.capitalize()} costs"
    yield _line(
        runs, Topic("D18", "CPU", f"CPU of {noun}", "us", CLOCK, cost, "more CPU", "less CPU"), cpu
    )
    lead = f"For {noun} the stores commit"
    counted = per_served(lambda window: sum(window.transactions.values()))
    topic = Topic("D18", "hops", f"commits of {noun}", "commits", "stores' counters", lead)
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
    smallest = visible_from(again, reference, runs.level)
    found[plan.reference] = twins(reference, again)
    made = line("saga", topic, (plan.baseline, base), found, smallest, runs.level)
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
    """Which share of the price of the most divided shape is saga, where both can be seen."""
    cells = {cell.subject: cell for cell in made.cells}
    saga_only, all_of_it = cells.get(reference), cells.get(top or "")
    if saga_only is None or all_of_it is None or not (saga_only.visible and all_of_it.visible):
        return ""
    saga, whole, unit = saga_only.change.mean, all_of_it.change.mean, made.unit
    if not 0 < saga < whole:
        return ""
    return (
        f"Of the {amount(whole, unit)} between {made.reference} and {top}, {amount(saga, unit)} "
        f"({share(saga / whole)}; {span(saga_only.change, unit)}) are the saga and its separate "
        f"stores, paid in {reference} too, and {amount(whole - saga, unit)} "
        f"({share(1 - saga / whole)}) the boundaries."
    )
