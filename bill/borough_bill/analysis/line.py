"""A line of the bill: one quantity of every subject, and its difference to the reference.

A difference is claimed where its interval excludes zero and it exceeds what two instances of the
reference may differ by (A/A). Otherwise the line says "no difference" where the interval is narrow
and "undecided" where it is wide, with the detection limit. With one reading there is no interval,
and only values are printed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from borough_bill.analysis.formats import amount, listed, span
from borough_bill.analysis.runs import Reading, Runs, mean_of_instances, series
from borough_bill.analysis.statistics import (
    Interval,
    Series,
    detection_limit,
    difference,
    mean_of,
    p_value,
    ratio,
)
from borough_bill.results import Frozen

Family = Literal["latency", "CPU", "memory", "hops", "failures", "books"]
"""The lines of a family are valid or void together. The books are what the auditor reads."""
FAMILIES: tuple[Family, ...] = get_args(Family)
LOADED: tuple[Family, ...] = ("latency", "CPU", "memory", "hops", "failures")
"""Families that are read from windows under load."""
NARROW = 0.05
"""Share of the reference's value: an interval whose half-width is below it is narrow."""
Decision = Literal["differs", "no difference", "undecided"]


class Cell(Frozen):
    """A subject on a line: its value, and its difference and ratio to the reference.

    `limit` is the smallest difference that would have been claimed. `limit` and `decision` are None
    with one reading. `holds` says of a headline difference whether it is significant when all of
    them are tested together (Holm).
    """

    subject: str
    value: Interval
    change: Interval
    ratio: Interval | None
    p: float
    limit: float | None
    decision: Decision | None
    holds: bool | None = None

    @property
    def differs(self) -> bool:
        """Whether a difference is claimed."""
        return self.decision == "differs"


class Line(Frozen):
    """A quantity of every subject; `limit` is the detection limit of A/A, None without A/A."""

    id: str
    family: Family
    about: Literal["shapes", "telemetry", "saga"]
    title: str
    unit: str
    reference: str
    value: Interval
    cells: tuple[Cell, ...]
    limit: float | None
    headline: bool = False
    source: str
    sentence: str


class Topic(NamedTuple):
    """The constant parts of a line. Its sentence is: `lead` 3 ms `more` `where` SUBJECT than ..."""

    id: str
    family: Family
    title: str
    unit: str
    source: str
    lead: str
    more: str = "more"
    less: str = "less"
    where: str = "in"
    headline: bool = False


def compared(runs: Runs, topic: Topic, reading: Reading) -> Line | None:
    """The line of a quantity that is read from windows under load; None where no shape has it."""
    return between(runs, topic, lambda subject: series(runs.windows(subject), reading))


def between(runs: Runs, topic: Topic, values: Callable[[str], Series]) -> Line | None:
    """The line of all shapes against the mean of both references; None where no shape has it."""
    plan = runs.plan
    instances = values(plan.reference), values(plan.again)
    shapes = {subject: values(subject) for subject in plan.shapes}
    base = mean_of_instances(*instances)
    return line(runs, topic, (plan.reference, base), shapes, instances)


def line(  # noqa: PLR0913, PLR0917  # all that a line consists of
    runs: Runs,
    topic: Topic,
    reference: tuple[str, Series],
    others: Mapping[str, Series],
    instances: tuple[Series, Series],
    about: Literal["shapes", "telemetry", "saga"] = "shapes",
) -> Line | None:
    """A line of those series that share a block with the reference; None where none does. The
    detection limit is that of the two `instances` of a shape, if two blocks or more hold both.
    """
    (name, base), (one, again), level = reference, instances, runs.level
    paired = len(one.keys() & again.keys()) > 1
    limit = detection_limit(again, one, level) if paired else None
    cells = tuple(
        _cell(subject, found, base, limit, level)
        for subject, found in others.items()
        if found.keys() & base.keys()
    )
    if not cells:
        return None
    value = mean_of(base, level)
    return Line(
        id=topic.id,
        family=topic.family,
        about=about,
        title=topic.title,
        unit=topic.unit,
        reference=name,
        value=value,
        cells=cells,
        limit=limit,
        headline=topic.headline,
        source=topic.source,
        sentence=_sentence(topic, name, value, cells),
    )


def _cell(subject: str, found: Series, base: Series, limit: float | None, level: float) -> Cell:
    change = difference(found, base, level)
    claimed_from = max(limit or 0, change.half_width)
    decision: Decision | None = None
    if change.n > 1:
        decision = "no difference" if narrow(change, mean_of(base).mean) else "undecided"
        if abs(change.mean) > claimed_from:
            decision = "differs"
    return Cell(
        subject=subject,
        value=mean_of(found, level),
        change=change,
        ratio=ratio(found, base, level),
        p=p_value(found, base),
        limit=claimed_from if change.n > 1 else None,
        decision=decision,
    )


def narrow(change: Interval, reference: float) -> bool:
    """Whether the half-width of a difference is below NARROW of the reference's value, or 0."""
    return change.half_width < NARROW * abs(reference) or change.half_width == 0


def _sentence(topic: Topic, name: str, value: Interval, cells: tuple[Cell, ...]) -> str:
    """The differences that are claimed, then the others with their detection limit."""
    unit = topic.unit
    if all(cell.decision is None for cell in cells):
        values = [(name, value), *((cell.subject, cell.value) for cell in cells)]
        shown = [f"{amount(of.mean, unit)} {topic.where} {subject}" for subject, of in values]
        return f"{topic.lead} {listed(shown)}; one reading each, so no difference is claimed."
    claimed = [
        f"{amount(abs(change.mean), unit)} {topic.more if change.mean > 0 else topic.less} "
        f"{topic.where} {subject} ({span(change, unit)})"
        for subject, change in ((cell.subject, cell.change) for cell in cells if cell.differs)
    ]
    rest = [
        f"{listed([cell.subject for cell in which])} {said}{_limit(which, unit)}"
        for decision, said in (("no difference", "no different"), ("undecided", "undecided"))
        if (which := [cell for cell in cells if cell.decision == decision])
    ]
    if claimed:
        base = f"than {topic.where} {name} ({amount(value.mean, unit)})"
        return "; ".join([f"{topic.lead} {listed(claimed)} {base}", *rest]) + "."
    base = f"against {amount(value.mean, unit)} {topic.where} {name}"
    return f"{topic.title}: {'; '.join(rest)}, {base}."


def _limit(cells: Sequence[Cell], unit: str) -> str:
    """The detection limit of cells without a difference, in brackets."""
    limit = max(cell.limit or 0 for cell in cells)
    return f" (detection limit {amount(limit, unit)})" if limit else ""
