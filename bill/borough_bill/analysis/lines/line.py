"""A line of the bill: one quantity of every subject, and its difference to the reference.

A difference is claimed where its interval excludes zero and it exceeds what two instances of the
reference may differ by (A/A). Otherwise the line says "no difference" where the interval is narrow
and "undecided" where it is wide, with the detection limit. With one reading there is no interval,
and only values are printed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.formats import amount, listed, span
from borough_bill.analysis.lines.runs import Reading, Runs, mean_of_instances, series
from borough_bill.analysis.statistics import (
    LEVEL,
    Interval,
    Series,
    detection_limit,
    difference,
    mean_of,
    p_value,
    ratio,
)
from borough_bill.results import Window

NARROW = 0.05
"""Share of the reference's value: an interval whose half-width is below it is narrow."""
Decision = Literal["differs", "no difference", "undecided"]


class Cell(BaseModel):
    """A subject on a line: its value, and its difference and ratio to the reference.

    `limit` is the smallest difference that would have been claimed. `limit` and `decision` are None
    with one reading. `holds` says of a headline difference whether it is significant when all of
    them are tested together (Holm).
    """

    model_config = ConfigDict(frozen=True)

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


class Line(BaseModel):
    """A quantity of every subject; `limit` is the detection limit of A/A, None without A/A."""

    model_config = ConfigDict(frozen=True)

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
    found = {subject: values(subject) for subject in (plan.reference, plan.again, *plan.shapes)}
    reference, again = found.pop(plan.reference), found.pop(plan.again)
    limit = limit_of(again, reference, runs.level)
    base = plan.reference, mean_of_instances(reference, again)
    return line("shapes", topic, base, found, limit, runs.level)


def limit_of(again: Series, reference: Series, level: float = LEVEL) -> float | None:
    """The detection limit of A/A; None where fewer than two blocks hold both instances."""
    together = again.keys() & reference.keys()
    return detection_limit(again, reference, level) if len(together) > 1 else None


def line(  # noqa: PLR0913, PLR0917  # all that a line consists of
    about: Literal["shapes", "telemetry", "saga"],
    topic: Topic,
    reference: tuple[str, Series],
    others: Mapping[str, Series],
    limit: float | None,
    level: float = LEVEL,
) -> Line | None:
    """A line of those series that share a block with the reference; None where none does."""
    name, base = reference
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
    return Cell(
        subject=subject,
        value=mean_of(found, level),
        change=change,
        ratio=ratio(found, base, level),
        p=p_value(found, base),
        limit=claimed_from if change.n > 1 else None,
        decision=_decision(change, claimed_from, mean_of(base).mean),
    )


def _decision(change: Interval, claimed_from: float, reference: float) -> Decision | None:
    if change.n == 1:
        return None
    if abs(change.mean) > claimed_from:
        return "differs"
    return "no difference" if narrow(change, reference) else "undecided"


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
        f"{_claim(topic, cell.change.mean)} {topic.where} {cell.subject} "
        f"({span(cell.change, unit)})"
        for cell in cells
        if cell.differs
    ]
    rest = [
        f"{listed([cell.subject for cell in which])} {decision}{_limit(which, unit)}"
        for which, decision in (
            ([cell for cell in cells if cell.decision == "no difference"], "no different"),
            ([cell for cell in cells if cell.decision == "undecided"], "undecided"),
        )
        if which
    ]
    if claimed:
        base = f"than {topic.where} {name} ({amount(value.mean, unit)})"
        return "; ".join([f"{topic.lead} {listed(claimed)} {base}", *rest]) + "."
    base = f"against {amount(value.mean, unit)} {topic.where} {name}"
    return f"{topic.title}: {'; '.join(rest)}, {base}."


def _limit(cells: Sequence[Cell], unit: str) -> str:
    """The detection limit of cells without a difference, in brackets."""
    limit = max((cell.limit or 0 for cell in cells), default=0)
    return f" (detection limit {amount(limit, unit)})" if limit else ""


def _claim(topic: Topic, change: float) -> str:
    return f"{amount(abs(change), topic.unit)} {topic.more if change > 0 else topic.less}"


def per_served(reading: Callable[[Window], float]) -> Reading:
    """The reading divided by the number of served requests; None where there was none."""
    return lambda window: reading(window) / window.served if window.served else None
