"""What a report tells, in this order: whether to believe it, what everything costs, and why."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from borough_bill.analysis.bill import PERCENTILES, Bill
from borough_bill.analysis.lines.ladder import Ladder, alone, closure, on_the_path
from borough_bill.analysis.lines.words import amount, article, listed, share
from borough_bill.load.schedule import CONSTANT
from borough_bill.report import tables
from borough_bill.report.tables import Table

RARELY = 0.01
"""Of the orders: so few may be still on their way when the next comes, for `none queues`."""
TAX = (
    "The tax of a hop is all of its time but the handler's: the callee's stack, and the rest: "
    "the client, the kernel, the callee's HTTP server, and waiting for a core, both ways."
)


class Section(NamedTuple):
    """A question with its answer: sentences, tables, and the name of a figure that shows it.

    `details` are sentences, and `more` tables, for those who want to know more.
    """

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: str = ""
    details: tuple[str, ...] = ()
    more: tuple[Table, ...] = ()


def title(bill: Bill) -> str:
    """The headline of every form."""
    plan = bill.plan
    if bill.kind == "compare":
        return f"What {listed(plan.shapes)} costs against {plan.reference}"
    kind = "a preliminary bill" if bill.kind == "preliminary" else "the bill"
    return f"What boundaries cost: {kind}"


def verdict(bill: Bill) -> str:
    """What of the measurement may be believed, in one or two sentences."""
    if not bill.void:
        return f"Valid: all {len(bill.checks)} checks passed."
    void = "; ".join(
        f"{one.family} ({listed(one.failed)})" for one in bill.families if one.family in bill.void
    )
    valid = f"Valid: {listed(bill.valid)}. " if bill.valid else ""
    return f"{valid}VOID: {void}. No line of what is void is printed."


def mood(bill: Bill) -> Literal["valid", "partly", "void"]:
    """How the verdict is meant: `void` where there is no line to print."""
    if not bill.void:
        return "valid"
    return "partly" if bill.lines else "void"


def faults(bill: Bill) -> Iterator[str]:
    """Of every check that failed: what was found, and what would help."""
    for check in bill.checks:
        if not check.passed:
            yield (
                f"{check.name}: {check.sentence} Found {check.value}, allowed {check.limit}. "
                f"What would help: {check.helps}"
            )


def missing(bill: Bill) -> Iterator[str]:
    """What cannot be measured here."""
    unread = [one.family for one in bill.families if not one.measured]
    if bill.kind != "compare" and unread:
        yield (
            f"{listed(unread)} are not measured here ({bill.machine.kernel}): only Linux "
            "lets a process read the CPU clock and memory of others and give them cores of their "
            "own, so latency is that of processes that share cores with the generator."
        )


def sections(bill: Bill) -> Iterator[Section]:
    """The whole report; of a void family only the checks."""
    yield Section(
        "Can it be believed?",
        (verdict(bill), *missing(bill), *faults(bill)),
        (tables.families(bill),),
        more=(tables.checks(bill),),
    )
    yield from _costs(bill)
    yield Section("How it was measured", (), (tables.facts(bill),))


def _costs(bill: Bill) -> Iterator[Section]:
    noun, plan = bill.plan.noun, bill.plan
    if (costs := tables.lines(bill, "shapes")) is not None:
        yield Section("The bill", (*gist(bill), key(bill)), (costs,), details=_of(bill, "shapes"))
    if bill.curves:
        yield Section(
            f"How long {article(noun)} takes",
            (f"Times within which so many {noun}s were answered, all blocks.", *_spacing(bill)),
            (tables.curves(bill),),
            figure="curves",
        )
    for ladder in bill.ladders:
        yield Section(
            f"The ladder: {ladder.title}",
            tuple(climb(bill, ladder)),
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
        yield Section("Every hop", (TAX,), (tables.edges(bill),))
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
        f"Differences are to {bill.plan.reference} (the mean of its two instances), paired by "
        "block, with ratio and 95 % interval, which is of these processes: others of the same code "
        f"may differ. A difference is visible from what two instances of {bill.plan.reference} may "
        f"differ by (95 %).{stars}"
    )


def climb(bill: Bill, ladder: Ladder) -> Iterator[str]:
    """What the rungs come to, and what else in this measurement speaks of it."""
    top = bill.plan.top or ""
    yield closure(ladder, bill.plan.reference, top)
    if ladder.unit == "ms" and bill.critical_path is not None:
        yield on_the_path(ladder, bill.critical_path)
    one_hop = [one for one in bill.hop_ladders if one.title.endswith("CPU of both ends")]
    hops = [
        cell.value
        for line in bill.lines
        if line.id == "D3"
        for cell in line.cells
        if cell.subject == top
    ]
    if ladder.unit == "us" and one_hop and hops:
        yield alone(ladder, one_hop, hops[0])


def _spacing(bill: Bill) -> Iterator[str]:
    """Of evenly spaced orders: whether any queued, which their times tell."""
    plan = bill.plan
    if plan.arrivals != CONSTANT:
        return
    gap = 1000 / plan.rate
    waited = max(sum(ms > gap for ms in curve.ms) for curve in bill.curves) / len(PERCENTILES)
    queue = "none queues" if waited <= RARELY else f"up to {share(waited)} wait for another"
    yield (
        f"{plan.noun.capitalize()}s come evenly spaced, one every {gap:.0f} ms, and {queue}; what "
        "queueing adds is for the full run."
    )
