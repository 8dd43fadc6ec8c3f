"""The bill as tables of texts, for the screen, HTML and Markdown alike."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from borough_bill.analysis.bill import PERCENTILES, Bill, Validity
from borough_bill.analysis.formats import article, listed, number, share, signed, span
from borough_bill.analysis.ladder import Ladder
from borough_bill.analysis.line import Cell, Line
from borough_bill.analysis.statistics import Interval
from borough_bill.results import Plan, titled

SHOWN = (50, 75, 90, 95, 99)
"""The percentiles in the table of latencies."""
Tone = Literal["", "good", "bad", "quiet"]


class Entry(NamedTuple):
    """A cell of a table: a text, a smaller note below it, and the tone it is printed in."""

    text: str
    note: str = ""
    tone: Tone = ""


class Table(NamedTuple):
    """Headings and rows. The first `texts` columns hold texts, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    texts: int = 1


def families(bill: Bill) -> Table:
    """Every family of lines: whether it is valid, and the checks that it failed and passed."""
    return Table(
        ("", "family", "failed checks", "passed checks"),
        tuple(
            (
                _mark(passed=one.valid) if one.measured else Entry("-", tone="quiet"),
                Entry(one.family),
                Entry(listed(one.failed), tone="bad"),
                Entry(listed(_passed(bill, one)) if one.measured else "not measured"),
            )
            for one in bill.families
        ),
        texts=4,
    )


def _passed(bill: Bill, one: Validity) -> list[str]:
    return [check.name for check in bill.checks if one.family in check.voids and check.passed]


def _mark(*, passed: bool) -> Entry:
    return Entry("✓", tone="good") if passed else Entry("✗", tone="bad")


def checks(bill: Bill) -> Table:
    """Every check: the value found, the limit, the families it speaks for, question and answer."""
    return Table(
        ("", "check", "found", "allowed", "speaks for", "question and answer"),
        tuple(
            (
                _mark(passed=check.passed),
                Entry(check.name),
                Entry(check.value, tone="" if check.passed else "bad"),
                Entry(check.limit),
                Entry(listed(check.voids)),
                Entry(check.question, check.sentence),
            )
            for check in bill.checks
        ),
        texts=6,
    )


def lines(bill: Bill, about: str) -> Table | None:
    """The lines about one comparison; None where there are none."""
    chosen = [line for line in bill.lines if line.about == about]
    if not chosen:
        return None
    subjects = list(dict.fromkeys(cell.subject for line in chosen for cell in line.cells))
    return Table(
        ("line", chosen[0].reference, *subjects, "detection limit"),
        tuple(_row(line, subjects) for line in chosen),
    )


def _row(line: Line, subjects: Sequence[str]) -> tuple[Entry, ...]:
    cells = {cell.subject: cell for cell in line.cells}
    limit = "-" if line.limit is None else number(line.limit, line.unit)
    return (
        Entry(_name(line), line.source),
        Entry(number(line.value.mean, line.unit), _ends(line.value, line.unit)),
        *(
            _cell(cells[subject], line.unit) if subject in cells else Entry("-")
            for subject in subjects
        ),
        Entry(limit, tone="quiet"),
    )


def _name(line: Line) -> str:
    """The id and title of a line, with its unit unless the title contains it."""
    has_unit = line.unit in line.title
    return f"{line.id} {line.title}" if has_unit else f"{line.id} {line.title}, {_unit(line.unit)}"


def _cell(cell: Cell, unit: str) -> Entry:
    if cell.decision is None:
        return Entry(number(cell.value.mean, unit), "one reading", "quiet")
    if not cell.differs:
        limit = number(cell.limit or 0, unit)
        return Entry(cell.decision, f"detection limit {limit}" if cell.limit else "", "quiet")
    star = "*" if cell.holds else ""
    times = "" if cell.ratio is None else f" x{cell.ratio.mean:.2f}"
    return Entry(f"{signed(cell.change.mean, unit)}{star}{times}", span(cell.change, unit))


def _ends(value: Interval, unit: str) -> str:
    """The interval of a value, where it has two ends that are printed differently."""
    if value.low is None or value.high is None:
        return ""
    return "" if number(value.low, unit) == number(value.high, unit) else span(value, unit)


def _unit(unit: str) -> str:
    return unit.replace("us", "µs")


def ladder(found: Ladder, reference: str, top: str | None) -> Table:
    """Rungs with what each adds, then their sum, the measured difference and the residual."""
    unit = found.unit
    rows = [
        (
            Entry(step.rung),
            Entry(step.name if step.added is None else f"+ {step.name}"),
            *_added(step.added, unit),
            Entry(number(step.value.mean, unit)),
        )
        for step in found.steps
    ]
    sums = [("T6 - T0", "sum of the rungs", found.climbed)]
    if found.measured is not None and found.residual is not None:
        sums += [
            ("", f"{top} - {reference}, measured separately", found.measured),
            ("", f"residual: {share(found.residual_share, 1)} of that", found.residual),
        ]
    rows += [
        (Entry(rung), Entry(name), *_added(added, unit), Entry("")) for rung, name, added in sums
    ]
    head = ("rung", "component", f"adds, {_unit(unit)}", "95 % interval", f"total, {_unit(unit)}")
    return Table(head, tuple(rows), texts=2)


def _added(added: Interval | None, unit: str) -> tuple[Entry, Entry]:
    if added is None:
        return Entry(""), Entry("")
    doubt = "" if added.excludes_zero else ", not significant"
    return Entry(signed(added.mean, unit)), Entry(f"{span(added, unit)}{doubt}", tone="quiet")


def edges(bill: Bill) -> Table:
    """Every edge: its calls a request, and the times of a call."""
    noun = bill.plan.noun
    head = ("shape", "edge", f"calls {article(noun)}", "call", "handler", "tax", "stack", "rest")
    return Table(
        tuple(
            f"{word}, µs" if word in ("call", "handler", "tax", "stack", "rest") else word
            for word in head
        ),
        tuple(
            (
                Entry(edge.subject),
                Entry(edge.edge),
                Entry(number(edge.calls.mean, "hops")),
                *(
                    Entry(number(value.mean, "us"), _ends(value, "us"))
                    for value in (edge.total, edge.handler, edge.tax, edge.server, edge.rest)
                ),
            )
            for edge in bill.edges
        ),
        texts=2,
    )


def parts(bill: Bill) -> Table:
    """CPU of every part a request."""
    return Table(
        ("shape", "part", f"CPU of one {bill.plan.noun}, µs"),
        tuple(
            (
                Entry(cost.subject),
                Entry(cost.part),
                Entry(number(cost.cpu.mean, "us"), _ends(cost.cpu, "us")),
            )
            for cost in bill.parts
        ),
        texts=2,
    )


def curves(bill: Bill) -> Table:
    """The SHOWN percentiles of every subject over all blocks; and the means from the intended and
    from the actual send time.
    """
    return Table(
        ("ms", *(f"{percent} %" for percent in SHOWN), "mean", "mean from actual send time"),
        tuple(
            (
                Entry(curve.subject),
                *(Entry(number(curve.ms[PERCENTILES.index(p)], "ms")) for p in SHOWN),
                Entry(number(curve.mean, "ms")),
                Entry(number(curve.from_sent, "ms")),
            )
            for curve in bill.curves
        ),
    )


def _stages(bill: Bill) -> str:
    """The seconds of each stage, and the reason why no further block was measured."""
    took = listed([f"{name} {seconds:.0f} s" for name, seconds in bill.took_s.items()])
    return f"{took}; no further block, because {bill.stopped}" if took else ""


def _blocks(bill: Bill) -> str:
    plan = bill.plan
    if not plan.open_ended:
        return f"{plan.blocks} blocks"
    limit = f", for {plan.measuring_s:g} s at most" if plan.measuring_s else ""
    return f"{bill.blocks} blocks, of {plan.blocks} to {plan.most}{limit}"


def _longer(plan: Plan) -> str:
    """The subjects whose windows are longer, if there are any."""
    if plan.longer == 1:
        return ""
    groups = " and ".join(listed([*map(titled, group)]) for group in plan.together)
    return f" ({plan.seconds * plan.longer:g} s for {groups}, next to each other in each block)"


def facts(bill: Bill) -> Table:
    """The machine, the versions, the plan and the settings."""
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
        "settings of every shape": settings,
        "placement": plan.placement,
        **plan.labels,
    }
    rows = [(Entry(name), Entry(value)) for name, value in found.items() if value]
    rows += [(Entry("note"), Entry(note)) for note in bill.notes]
    return Table(("", ""), tuple(rows), texts=2)
