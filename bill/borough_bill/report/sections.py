"""What a report tells, in this order: whether to believe it, what everything costs, and why."""

from collections.abc import Iterator
from typing import NamedTuple

from borough_bill.bill import Bill
from borough_bill.lines.ladder import closure
from borough_bill.lines.words import amount, article, listed, share
from borough_bill.report import tables
from borough_bill.report.tables import Table


class Section(NamedTuple):
    """A question with its answer: sentences, tables, and the name of a figure that shows it.

    `details` are sentences for those who want to know more.
    """

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: str = ""
    details: tuple[str, ...] = ()


def title(bill: Bill) -> str:
    """The headline of every form."""
    plan = bill.plan
    if bill.kind == "compare":
        return f"What {listed(plan.shapes)} costs against {plan.reference}"
    kind = "a preliminary bill" if bill.kind == "preliminary" else "the bill"
    return f"What boundaries cost: {kind}"


def verdict(bill: Bill) -> str:
    """Whether the measurement may be believed, in one sentence."""
    failed = [check.name for check in bill.checks if not check.passed]
    if failed:
        return (
            f"VOID: {len(failed)} of {len(bill.checks)} checks failed ({', '.join(failed)}), so no "
            "line is printed."
        )
    return f"Valid: all {len(bill.checks)} checks passed."


def sections(bill: Bill) -> Iterator[Section]:
    """The whole report; of a void bill only the checks and how it was measured."""
    yield Section("Can it be believed?", (verdict(bill),), (tables.checks(bill),))
    if bill.valid:
        yield from _costs(bill)
    yield Section("How it was measured", (), (tables.facts(bill),))


def _costs(bill: Bill) -> Iterator[Section]:
    noun, plan = bill.plan.noun, bill.plan
    if (costs := tables.lines(bill, "shapes")) is not None:
        yield Section("The bill", (*gist(bill), key(bill)), (costs,), details=_of(bill, "shapes"))
    if bill.curves:
        yield Section(
            f"How long {article(noun)} takes",
            (f"So many {noun}s of a hundred were answered within this time; all blocks together.",),
            (tables.curves(bill),),
            figure="curves",
        )
    for ladder in bill.ladders:
        yield Section(
            f"The ladder: {ladder.title}",
            (closure(ladder, plan.reference, plan.top or ""),),
            (tables.ladder(ladder, plan.reference, plan.top),),
            figure=f"ladder-{ladder.unit}",
        )
    if bill.parts:
        yield Section(
            f"Where the CPU of {article(noun)} is spent",
            (f"CPU time of every process within the window, for each {noun} that was answered.",),
            (tables.parts(bill),),
            figure="parts",
        )
    yield from _explained(bill)


def _explained(bill: Bill) -> Iterator[Section]:
    plan = bill.plan
    for about, heading in (("saga", "Saga or boundary?"), ("telemetry", "What watching costs")):
        if (found := tables.lines(bill, about)) is not None:
            yield Section(heading, _of(bill, about), (found,))
    if bill.edges:
        yield Section("Every hop", (*_hops(bill),), (tables.edges(bill),))
    for ladder in bill.hop_ladders:
        yield Section(
            f"The ladder of {ladder.title}",
            (f"The rungs up to T6 add {amount(ladder.climbed.mean, ladder.unit)} to a call.",),
            (tables.ladder(ladder, plan.reference, plan.top),),
        )


def gist(bill: Bill) -> tuple[str, ...]:
    """The headline differences in words."""
    return tuple(line.sentence for line in bill.lines if line.headline)


def _of(bill: Bill, about: str) -> tuple[str, ...]:
    return tuple(f"{line.id}: {line.sentence}" for line in bill.lines if line.about == about)


def key(bill: Bill) -> str:
    """How to read the differences."""
    stars = (
        f" * holds also when all {bill.headlines} headline differences are tested at once (Holm)."
        if bill.headlines
        else ""
    )
    return (
        f"Differences are to {bill.plan.reference}, paired by block, with their 95 % interval and "
        f"ratio. A difference is visible from what two instances of {bill.plan.reference} may "
        f"differ by (95 %).{stars}"
    )


def _hops(bill: Bill) -> Iterator[str]:
    yield (
        "The tax of a hop is all of its time but the handler's: the callee's stack, and the rest, "
        "which is the client, the kernel and the wire, both ways."
    )
    if (path := bill.critical_path) is not None:
        yield (
            f"A cross-check from {path.traces} traces: {amount(path.hop_ms, 'ms')} of the "
            f"{amount(path.path_ms, 'ms')} on the critical path are hops "
            f"({share(path.hop_ms / path.path_ms)}), {path.hops:.1f} of them in a row."
        )
