"""The sections of a report, in order: the validity, the costs, their explanation, the facts."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from borough_bill.analysis.bill import PERCENTILES, Bill
from borough_bill.analysis.formats import amount, article, listed, share
from borough_bill.analysis.ladder import SHIPPED, Ladder, closure, hops_alone, hops_on_path
from borough_bill.load.schedule import CONSTANT
from borough_bill.report import tables
from borough_bill.report.tables import Table
from borough_bill.results import titled

RARELY = 0.01
"""Share of requests that may be unanswered when the next is sent, for `no request queues`."""
TAX = (
    "The tax of a hop is its time less that of the handler. It consists of the callee's stack and "
    "of the rest: the client, the kernel, the callee's HTTP server, and waiting for a core, in "
    "both directions."
)


SAGA = "Saga and boundaries"


class Section(NamedTuple):
    """A heading with sentences, tables and the name of a figure.

    `details` are further sentences and `more` further tables, which a page shows on demand.
    """

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: str = ""
    details: tuple[str, ...] = ()
    more: tuple[Table, ...] = ()


def title(bill: Bill) -> str:
    """The title of the report."""
    plan = bill.plan
    if bill.kind == "compare":
        return f"What {listed(plan.shapes)} costs against {plan.reference}"
    kind = "a preliminary bill" if bill.kind == "preliminary" else "the bill"
    return f"What boundaries cost: {kind}"


def validity(bill: Bill) -> str:
    """Which families are valid and which are void, by which checks, in a few sentences."""
    if not bill.void:
        return f"Valid: all {len(bill.checks)} checks passed."
    void = "; ".join(
        f"{one.family} ({listed(one.failed)})" for one in bill.families if one.family in bill.void
    )
    valid = f"Valid: {listed(bill.valid)}. " if bill.valid else ""
    return f"{valid}VOID: {void}. No line of a void family is printed."


def overall(bill: Bill) -> Literal["valid", "partly", "void"]:
    """`valid` where no family is void, `void` where there is no line, else `partly`."""
    if not bill.void:
        return "valid"
    return "partly" if bill.lines else "void"


def failed_checks(bill: Bill) -> Iterator[str]:
    """A sentence for each check that failed, with its remedy."""
    for check in bill.checks:
        if not check.passed:
            yield (
                f"{check.name}: {check.sentence} Found {check.value}, allowed {check.limit}. "
                f"Remedy: {check.remedy}"
            )


def not_measured(bill: Bill) -> Iterator[str]:
    """A sentence on the families that cannot be measured on this machine, if there are any."""
    unread = [one.family for one in bill.families if not one.measured]
    if bill.kind != "compare" and unread:
        yield (
            f"{listed(unread)} are not measured here ({bill.machine.kernel}): only on Linux can a "
            "process read the CPU clock and memory of others and pin them to cores. Latency is "
            "that of processes that share cores with the generator."
        )


def sections(bill: Bill) -> Iterator[Section]:
    """The whole report; a void family has its checks and no line."""
    yield Section(
        "Validity",
        (validity(bill), *not_measured(bill), *failed_checks(bill)),
        (tables.families(bill),),
        more=(tables.checks(bill),),
    )
    yield from _costs(bill)
    yield Section("How it was measured", (), (tables.facts(bill),))


def _costs(bill: Bill) -> Iterator[Section]:
    noun, plan = bill.plan.noun, bill.plan
    if (costs := tables.lines(bill, "shapes")) is not None:
        sentences = (*headlines(bill), legend(bill))
        yield Section("The bill", sentences, (costs,), details=_details(bill, "shapes"))
    if bill.curves:
        yield Section(
            f"How long {article(noun)} takes",
            (f"Percentiles of the latency of {noun}s, over all blocks.", *_spacing(bill)),
            (tables.curves(bill),),
            figure="curves",
        )
    for ladder in bill.ladders:
        yield Section(
            f"The ladder: {ladder.title}",
            tuple(ladder_sentences(bill, ladder)),
            (tables.ladder(ladder, plan.reference, plan.top),),
            figure=f"ladder-{ladder.unit}",
        )
    if bill.parts:
        yield Section(
            f"Where the CPU of {article(noun)} is spent",
            (f"CPU of every process within the window, for each served {noun}.",),
            (tables.parts(bill),),
            figure="parts",
        )
    yield from _explained(bill)


def _explained(bill: Bill) -> Iterator[Section]:
    plan = bill.plan
    for about, heading in (("saga", SAGA), ("telemetry", "What telemetry costs")):
        if (found := tables.lines(bill, about)) is not None:
            yield Section(heading, _details(bill, about), (found,))
    if bill.edges:
        yield Section("Every hop", (TAX,), (tables.edges(bill),))
    for ladder in bill.hop_ladders:
        added = amount(ladder.climbed.mean, ladder.unit)
        yield Section(
            f"The ladder of {ladder.title}",
            (f"The rungs up to {titled(SHIPPED)} add {added} to a call.",),
            (tables.ladder(ladder, plan.reference, plan.top),),
        )


def headlines(bill: Bill) -> tuple[str, ...]:
    """The sentences of the headline lines."""
    return tuple(line.sentence for line in bill.lines if line.headline)


def _details(bill: Bill, about: str) -> tuple[str, ...]:
    return tuple(
        f"{line.id} {line.title}: {line.sentence.removeprefix(f'{line.title}: ')}"
        for line in bill.lines
        if line.about == about
    )


def legend(bill: Bill) -> str:
    """How to read the differences."""
    stars = (
        f" * marks a headline difference that is significant when all {bill.headlines} are tested "
        "together (Holm)."
        if bill.headlines
        else ""
    )
    return (
        f"Differences are to {bill.plan.reference} (the mean of its two instances), paired by "
        "block, with ratio and 95 % interval. The interval is that of these processes; other "
        "processes of the same code may differ. The detection limit is what two instances of "
        f"{bill.plan.reference} may differ by (95 %).{stars}"
    )


def ladder_sentences(bill: Bill, ladder: Ladder) -> Iterator[str]:
    """The sum of the rungs with its residual, and the cross-checks that the result allows."""
    top = bill.plan.top or ""
    yield closure(ladder, bill.plan.reference, top)
    if ladder.unit == "ms" and bill.critical_path is not None:
        yield hops_on_path(ladder, bill.critical_path)
    one_hop = [one for one in bill.hop_ladders if one.title.endswith("CPU of both ends")]
    counted = [cell for line in bill.lines if line.id == "D3" for cell in line.cells]
    hops = [cell.value for cell in counted if cell.subject == top]
    if ladder.unit == "us" and one_hop and hops:
        yield hops_alone(ladder, one_hop, hops[0])


def _spacing(bill: Bill) -> Iterator[str]:
    """A sentence on evenly spaced requests: how many were unanswered when the next was sent."""
    plan = bill.plan
    if plan.arrivals != CONSTANT:
        return
    gap = 1000 / plan.rate
    waited = max(sum(ms > gap for ms in curve.ms) for curve in bill.curves) / len(PERCENTILES)
    queue = f"no {plan.noun} queues" if waited <= RARELY else f"up to {share(waited)} queue"
    yield (
        f"{plan.noun.capitalize()}s are sent evenly spaced, one every {gap:.0f} ms, and {queue}. "
        "The full run measures what queueing adds."
    )
