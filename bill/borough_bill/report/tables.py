"""The bill as tables of texts, for the screen, HTML and Markdown alike."""

from collections.abc import Iterable, Iterator, Sequence
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


Row = tuple[str | Entry, ...]


class Table(NamedTuple):
    """Headings and rows. The first `texts` columns hold texts, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    texts: int


def _table(head: Sequence[str], rows: Iterable[Row], texts: int = 1) -> Table:
    """A table in which a text is an entry without note and tone."""
    made = (tuple(Entry(e) if isinstance(e, str) else e for e in row) for row in rows)
    return Table(tuple(head), tuple(made), texts)


def families(bill: Bill) -> Table:
    """Every family of lines: whether it is valid, and the checks that it failed and passed."""
    head = ("", "family", "failed checks", "passed checks")
    return _table(head, (_family(bill, one) for one in bill.families), texts=4)


def _family(bill: Bill, one: Validity) -> Row:
    failed = Entry(listed(one.failed), tone="bad")
    if not one.measured:
        return Entry("-", tone="quiet"), one.family, failed, "not measured"
    passed = [check.name for check in bill.checks if one.family in check.voids and check.passed]
    return _mark(passed=one.valid), one.family, failed, listed(passed)


def _mark(*, passed: bool) -> Entry:
    return Entry("✓", tone="good") if passed else Entry("✗", tone="bad")


def checks(bill: Bill) -> Table:
    """Every check: the value found, the limit, the families it speaks for, question and answer."""
    rows = (
        (
            _mark(passed=check.passed),
            check.name,
            Entry(check.value, tone="" if check.passed else "bad"),
            check.limit,
            listed(check.voids),
            Entry(check.question, check.sentence),
        )
        for check in bill.checks
    )
    head = ("", "check", "found", "allowed", "speaks for", "question and answer")
    return _table(head, rows, texts=6)


def lines(bill: Bill, about: str) -> Table | None:
    """The lines about one comparison; None where there are none."""
    chosen = [line for line in bill.lines if line.about == about]
    if not chosen:
        return None
    subjects = list(dict.fromkeys(cell.subject for line in chosen for cell in line.cells))
    head = ("line", chosen[0].reference, *subjects, "detection limit")
    return _table(head, (tuple(_line(line, subjects)) for line in chosen))


def _line(line: Line, subjects: Sequence[str]) -> Iterator[str | Entry]:
    name = f"{line.id} {line.title}"
    yield Entry(name if line.unit in line.title else f"{name}, {_unit(line.unit)}", line.source)
    yield _mean(line.value, line.unit)
    cells = {cell.subject: cell for cell in line.cells}
    for subject in subjects:
        yield _cell(cells[subject], line.unit) if subject in cells else "-"
    yield Entry("-" if line.limit is None else number(line.limit, line.unit), tone="quiet")


def _cell(cell: Cell, unit: str) -> Entry:
    if cell.decision is None:
        return Entry(number(cell.value.mean, unit), "one reading", "quiet")
    if not cell.differs:
        limit = number(cell.limit or 0, unit)
        return Entry(cell.decision, f"detection limit {limit}" if cell.limit else "", "quiet")
    star = "*" if cell.holds else ""
    times = "" if cell.ratio is None else f" x{cell.ratio.mean:.2f}"
    return Entry(f"{signed(cell.change.mean, unit)}{star}{times}", span(cell.change, unit))


def _mean(value: Interval, unit: str) -> Entry:
    """A mean, with its interval where this has two ends that are printed differently."""
    ends = {end if end is None else number(end, unit) for end in (value.low, value.high)}
    return Entry(number(value.mean, unit), span(value, unit) if len(ends) > 1 else "")


def _unit(unit: str) -> str:
    return unit.replace("us", "µs")


def ladder(found: Ladder, reference: str, top: str | None) -> Table:
    """Rungs with what each adds, then their sum, the measured difference and the residual."""
    unit = found.unit
    rows: list[Row] = [
        (
            step.rung,
            step.name if step.added is None else f"+ {step.name}",
            *_added(step.added, unit),
            number(step.value.mean, unit),
        )
        for step in found.steps
    ]
    rows.append(("T6 - T0", "sum of the rungs", *_added(found.climbed, unit), ""))
    if found.measured is not None and found.residual is not None:
        separately = f"{top} - {reference}, measured separately"
        residual = f"residual: {share(found.residual_share, 1)} of that"
        rows.append(("", separately, *_added(found.measured, unit), ""))
        rows.append(("", residual, *_added(found.residual, unit), ""))
    head = ("rung", "component", f"adds, {_unit(unit)}", "95 % interval", f"total, {_unit(unit)}")
    return _table(head, rows, texts=2)


def _added(added: Interval | None, unit: str) -> Row:
    if added is None:
        return "", ""
    doubt = "" if added.excludes_zero else ", not significant"
    return signed(added.mean, unit), Entry(f"{span(added, unit)}{doubt}", tone="quiet")


def edges(bill: Bill) -> Table:
    """Every edge: its calls a request, and the times of a call."""
    times = {"call": "total", "handler": "handler", "tax": "tax", "stack": "server", "rest": "rest"}
    rows: list[Row] = [
        (
            edge.subject,
            edge.edge,
            number(edge.calls.mean, "hops"),
            *(_mean(getattr(edge, time), "us") for time in times.values()),
        )
        for edge in bill.edges
    ]
    head = ("shape", "edge", f"calls {article(bill.plan.noun)}", *(f"{t}, µs" for t in times))
    return _table(head, rows, texts=2)


def parts(bill: Bill) -> Table:
    """CPU of every part a request."""
    rows = ((cost.subject, cost.part, _mean(cost.cpu, "us")) for cost in bill.parts)
    return _table(("shape", "part", f"CPU of one {bill.plan.noun}, µs"), rows, texts=2)


def curves(bill: Bill) -> Table:
    """The SHOWN percentiles of every subject over all blocks; and the means from the intended and
    from the actual send time.
    """
    head = ("ms", *(f"{percent} %" for percent in SHOWN), "mean", "mean from actual send time")
    rows = (
        (
            curve.subject,
            *(number(curve.ms[PERCENTILES.index(percent)], "ms") for percent in SHOWN),
            number(curve.mean, "ms"),
            number(curve.from_sent, "ms"),
        )
        for curve in bill.curves
    )
    return _table(head, rows)


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
    took = listed([f"{name} {seconds:.0f} s" for name, seconds in bill.took_s.items()])
    found = {
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB",
        "system": f"{machine.kernel}, {machine.python}",
        "packages": ", ".join(map(" ".join, machine.packages.items())),
        "measured": f"{bill.created:%Y-%m-%d %H:%M} UTC, commit {bill.commit}, seed {bill.seed}",
        "stages": f"{took}; no further block, because {bill.stopped}" if took else "",
        "plan": f"{_blocks(bill)}; windows of {plan.seconds:g} s{_longer(plan)} after "
        f"{plan.warm_up_s:g} s of warm-up; workload {plan.workload}, "
        f"{plan.rate:g} {plan.noun}s a second, {plan.arrivals} arrivals, the same for every "
        "subject of a block",
        "settings of every shape": ", ".join(map("=".join, plan.settings.items())),
        "placement": plan.placement,
        **plan.labels,
    }
    rows = [*filter(lambda row: row[1], found.items()), *(("note", note) for note in bill.notes)]
    return _table(("", ""), rows, texts=2)
