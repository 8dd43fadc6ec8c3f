"""The bill as tables of words, before it is known where they will be printed."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from borough_bill.analysis.bill import PERCENTILES, Bill, Validity
from borough_bill.analysis.lines.ladder import Ladder
from borough_bill.analysis.lines.line import Cell, Line
from borough_bill.analysis.lines.words import article, listed, number, share, signed, span
from borough_bill.analysis.statistics import Interval
from borough_bill.results import Plan

SHOWN = (50, 75, 90, 95, 99)
"""Percentiles of a curve that a table shows."""
Mood = Literal["", "good", "bad", "quiet"]


class Word(NamedTuple):
    """What stands in a cell: a text, a smaller note below it, and how it is meant."""

    text: str
    note: str = ""
    mood: Mood = ""


class Table(NamedTuple):
    """Headings and rows. The first `texts` columns hold words, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Word, ...], ...]
    texts: int = 1


def families(bill: Bill) -> Table:
    """Every family of lines: whether it is valid, and the checks that say so."""
    return Table(
        ("", "lines of", "failed", "checked by"),
        tuple(
            (
                _mark(passed=one.valid) if one.measured else Word("-", mood="quiet"),
                Word(one.family),
                Word(listed(one.failed), mood="bad"),
                Word(listed(_passed(bill, one)) if one.measured else "not measured"),
            )
            for one in bill.families
        ),
        texts=4,
    )


def _passed(bill: Bill, one: Validity) -> list[str]:
    return [check.name for check in bill.checks if one.family in check.voids and check.passed]


def _mark(*, passed: bool) -> Word:
    return Word("✓", mood="good") if passed else Word("✗", mood="bad")


def checks(bill: Bill) -> Table:
    """Every check: its question, what was found, what was allowed, the families it speaks for, and
    the answer.
    """
    return Table(
        ("", "check", "found", "allowed", "speaks for", "question and answer"),
        tuple(
            (
                _mark(passed=check.passed),
                Word(check.name),
                Word(check.value, mood="" if check.passed else "bad"),
                Word(check.limit),
                Word(listed(check.voids)),
                Word(check.question, check.sentence),
            )
            for check in bill.checks
        ),
        texts=6,
    )


def lines(bill: Bill, about: str) -> Table | None:
    """Lines that share their subjects; None where there are none."""
    chosen = [line for line in bill.lines if line.about == about]
    if not chosen:
        return None
    subjects = list(dict.fromkeys(cell.subject for line in chosen for cell in line.cells))
    return Table(
        ("line", chosen[0].reference, *subjects, "visible from"),
        tuple(_row(line, subjects) for line in chosen),
    )


def _row(line: Line, subjects: Sequence[str]) -> tuple[Word, ...]:
    cells = {cell.subject: cell for cell in line.cells}
    smallest = "-" if line.smallest is None else number(line.smallest, line.unit)
    return (
        Word(_name(line), line.source),
        Word(number(line.value.mean, line.unit), _ends(line.value, line.unit)),
        *(
            _cell(cells[subject], line.unit) if subject in cells else Word("-")
            for subject in subjects
        ),
        Word(smallest, mood="quiet"),
    )


def _name(line: Line) -> str:
    """The line with its unit, once."""
    named = line.unit in line.title
    return f"{line.id} {line.title}" if named else f"{line.id} {line.title}, {_unit(line.unit)}"


def _cell(cell: Cell, unit: str) -> Word:
    if cell.decision is None:
        return Word(number(cell.value.mean, unit), "one reading", "quiet")
    if not cell.visible:
        limit = number(cell.smallest or 0, unit)
        return Word(cell.decision, f"visible from {limit}" if cell.smallest else "", "quiet")
    star = "*" if cell.holds else ""
    times = "" if cell.ratio is None else f" x{cell.ratio.mean:.2f}"
    return Word(f"{signed(cell.change.mean, unit)}{star}{times}", span(cell.change, unit))


def _ends(value: Interval, unit: str) -> str:
    """The interval of a value, where it has two ends that differ."""
    if value.low is None or value.high is None:
        return ""
    return "" if number(value.low, unit) == number(value.high, unit) else span(value, unit)


def _unit(unit: str) -> str:
    return unit.replace("us", "µs")


def ladder(found: Ladder, reference: str, top: str | None) -> Table:
    """Rungs, what each adds, and what they come to."""
    unit = found.unit
    rows = [
        (
            Word(step.rung),
            Word(step.name if step.added is None else f"+ {step.name}"),
            *_added(step.added, unit),
            Word(number(step.value.mean, unit)),
        )
        for step in found.steps
    ]
    sums = [("T6 - T0", "what the rungs add", found.climbed)]
    if found.measured is not None and found.residual is not None:
        sums += [
            ("", f"{top} - {reference}, measured apart", found.measured),
            ("", f"residual: {share(found.residual_share, 1)} of it", found.residual),
        ]
    rows += [(Word(rung), Word(name), *_added(added, unit), Word("")) for rung, name, added in sums]
    head = ("rung", "with", f"adds, {_unit(unit)}", "95 % interval", f"comes to, {_unit(unit)}")
    return Table(head, tuple(rows), texts=2)


def _added(added: Interval | None, unit: str) -> tuple[Word, Word]:
    if added is None:
        return Word(""), Word("")
    doubt = "" if added.excludes_zero else ", not significant"
    return Word(signed(added.mean, unit)), Word(f"{span(added, unit)}{doubt}", mood="quiet")


def edges(bill: Bill) -> Table:
    """Every edge: its calls, and where the time of a call goes."""
    noun = bill.plan.noun
    head = ("shape", "edge", f"calls {article(noun)}", "call", "handler", "tax", "stack", "rest")
    return Table(
        tuple(
            f"{word}, µs" if word in ("call", "handler", "tax", "stack", "rest") else word
            for word in head
        ),
        tuple(
            (
                Word(edge.subject),
                Word(edge.edge),
                Word(number(edge.calls.mean, "hops")),
                *(
                    Word(number(value.mean, "us"), _ends(value, "us"))
                    for value in (edge.total, edge.handler, edge.tax, edge.server, edge.rest)
                ),
            )
            for edge in bill.edges
        ),
        texts=2,
    )


def parts(bill: Bill) -> Table:
    """CPU of every part."""
    return Table(
        ("shape", "part", f"CPU of one {bill.plan.noun}, µs"),
        tuple(
            (
                Word(cost.subject),
                Word(cost.part),
                Word(number(cost.cpu.mean, "us"), _ends(cost.cpu, "us")),
            )
            for cost in bill.parts
        ),
        texts=2,
    )


def curves(bill: Bill) -> Table:
    """Some percentiles of every subject, all blocks together, and means: from the time an order was
    meant to be sent, as everywhere, and from the time it was.
    """
    return Table(
        ("ms", *(f"{percent} %" for percent in SHOWN), "mean", "mean from sending"),
        tuple(
            (
                Word(curve.subject),
                *(Word(number(curve.ms[PERCENTILES.index(p)], "ms")) for p in SHOWN),
                Word(number(curve.mean, "ms")),
                Word(number(curve.from_sent, "ms")),
            )
            for curve in bill.curves
        ),
    )


def _stages(bill: Bill) -> str:
    """How long each took, and why no block more was measured."""
    took = listed([f"{name} {seconds:.0f} s" for name, seconds in bill.took_s.items()])
    return f"{took}; no block more was measured, because {bill.stopped}" if took else ""


def _blocks(bill: Bill) -> str:
    plan = bill.plan
    if not plan.open_ended:
        return f"{plan.blocks} blocks"
    limit = f", for {plan.measuring_s:g} s at most" if plan.measuring_s else ""
    return f"{bill.blocks} blocks, of {plan.blocks} to {plan.most}{limit}"


def _longer(plan: Plan) -> str:
    """Whose windows are longer, if any are."""
    if plan.longer == 1:
        return ""
    groups = " and ".join(listed(group) for group in plan.together)
    return f" ({plan.seconds * plan.longer:g} s of {groups}, side by side in each block)"


def facts(bill: Bill) -> Table:
    """What the numbers were measured with and on."""
    plan, machine = bill.plan, bill.machine
    settings = ", ".join(f"{name}={value}" for name, value in plan.settings.items())
    found = {
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB",
        "system": f"{machine.kernel}, {machine.python}",
        "packages": ", ".join(f"{name} {version}" for name, version in machine.packages.items()),
        "measured": f"{bill.created:%Y-%m-%d %H:%M} UTC, commit {bill.commit}, seed {bill.seed}",
        "stages": _stages(bill),
        "plan": f"{_blocks(bill)}; windows of {plan.seconds:g} s{_longer(plan)} after "
        f"{plan.warm_up_s:g} s of warm-up; workload {plan.workload}, "
        f"{plan.rate:g} {plan.noun}s a second, {plan.arrivals} arrivals, the same for every "
        "subject of a block",
        "settings of all": settings,
        "placement": plan.placement,
        **plan.labels,
    }
    rows = [(Word(name), Word(value)) for name, value in found.items() if value]
    rows += [(Word("note"), Word(note)) for note in bill.notes]
    return Table(("", ""), tuple(rows), texts=2)
