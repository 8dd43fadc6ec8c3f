"""One line of a bill: a quantity of every subject, and how each differs from the reference.

A difference is claimed only when its interval excludes zero and it is larger than what two
instances of the same thing differed by. Where it is not, and the interval is narrow, the line says
that there is no difference; where the interval is wide, that it is undecided, and what could have
been seen. Where there is but one reading nothing is known of chance, and only values are told.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.runs import Reading, Runs, series, twins
from borough_bill.analysis.lines.words import amount, listed, span
from borough_bill.analysis.statistics import (
    LEVEL,
    Interval,
    Series,
    difference,
    mean_of,
    p_value,
    ratio,
    smallest_visible,
)
from borough_bill.results import Window

NARROW = 0.05
"""Of the reference's value: a half-width below it leaves no difference that would matter."""
Decision = Literal["differs", "no difference", "undecided"]


class Cell(BaseModel):
    """A subject on a line.

    `smallest` is the smallest difference that could have been claimed here; `decision` is None
    where one reading says nothing about chance; `holds` says of a headline whether it stands when
    all headlines are tested at once.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    value: Interval
    change: Interval
    ratio: Interval | None
    p: float
    smallest: float | None
    decision: Decision | None
    holds: bool | None = None

    @property
    def visible(self) -> bool:
        """Whether a difference is claimed."""
        return self.decision == "differs"


class Line(BaseModel):
    """`smallest` is the smallest difference A/A could see; None where there was no A/A."""

    model_config = ConfigDict(frozen=True)

    id: str
    family: Family
    about: Literal["shapes", "telemetry", "saga"]
    title: str
    unit: str
    reference: str
    value: Interval
    cells: tuple[Cell, ...]
    smallest: float | None
    headline: bool = False
    source: str
    sentence: str


class Topic(NamedTuple):
    """What a line is about, and its words: `lead` 3 ms `more` `where` a subject, than ..."""

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
    """The line of a quantity read from windows under load; None where nobody has it."""
    return between(runs, topic, lambda subject: series(runs.windows(subject), reading))


def between(runs: Runs, topic: Topic, values: Callable[[str], Series]) -> Line | None:
    """The line of all shapes against the reference, judged by A/A; None where nobody has it."""
    plan = runs.plan
    found = {subject: values(subject) for subject in (plan.reference, plan.again, *plan.shapes)}
    reference, again = found.pop(plan.reference), found.pop(plan.again)
    smallest = visible_from(again, reference, runs.level)
    base = plan.reference, twins(reference, again)
    return line("shapes", topic, base, found, smallest, runs.level)


def visible_from(again: Series, reference: Series, level: float = LEVEL) -> float | None:
    """The smallest difference A/A could see; None where it had fewer than two blocks."""
    together = again.keys() & reference.keys()
    return smallest_visible(again, reference, level) if len(together) > 1 else None


def line(  # noqa: PLR0913, PLR0917  # all that makes one
    about: Literal["shapes", "telemetry", "saga"],
    topic: Topic,
    reference: tuple[str, Series],
    others: Mapping[str, Series],
    smallest: float | None,
    level: float = LEVEL,
) -> Line | None:
    """A line of these series, as many of them as share a block with the reference."""
    name, base = reference
    cells = tuple(
        _cell(subject, found, base, smallest, level)
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
        smallest=smallest,
        headline=topic.headline,
        source=topic.source,
        sentence=_sentence(topic, name, value, cells),
    )


def _cell(subject: str, found: Series, base: Series, smallest: float | None, level: float) -> Cell:
    change = difference(found, base, level)
    visible_from = max(smallest or 0, change.half_width)
    return Cell(
        subject=subject,
        value=mean_of(found, level),
        change=change,
        ratio=ratio(found, base, level),
        p=p_value(found, base),
        smallest=visible_from if change.n > 1 else None,
        decision=_decision(change, visible_from, mean_of(base).mean),
    )


def _decision(change: Interval, visible_from: float, reference: float) -> Decision | None:
    if change.n == 1:
        return None
    if abs(change.mean) > visible_from:
        return "differs"
    return "no difference" if narrow(change, reference) else "undecided"


def narrow(change: Interval, reference: float) -> bool:
    """Whether a difference that mattered would have been found; of values that are all the same,
    zeros too, it would.
    """
    return change.half_width < NARROW * abs(reference) or change.half_width == 0


def _sentence(topic: Topic, name: str, value: Interval, cells: tuple[Cell, ...]) -> str:
    """In plain English: what was seen, then what was not."""
    unit = topic.unit
    if all(cell.decision is None for cell in cells):
        values = [(name, value), *((cell.subject, cell.value) for cell in cells)]
        shown = [f"{amount(found.mean, unit)} {topic.where} {who}" for who, found in values]
        return f"{topic.lead} {listed(shown)}; one reading each, so no difference is claimed."
    told = [
        f"{_told(topic, cell.change.mean)} {topic.where} {cell.subject} ({span(cell.change, unit)})"
        for cell in cells
        if cell.visible
    ]
    rest = [
        f"{listed([cell.subject for cell in which])} {words}{_from(which, unit)}"
        for which, words in (
            ([cell for cell in cells if cell.decision == "no difference"], "no different"),
            ([cell for cell in cells if cell.decision == "undecided"], "undecided"),
        )
        if which
    ]
    if told:
        base = f"than {topic.where} {name} ({amount(value.mean, unit)})"
        return "; ".join([f"{topic.lead} {listed(told)} {base}", *rest]) + "."
    base = f"against {amount(value.mean, unit)} {topic.where} {name}"
    return f"{topic.title}: {'; '.join(rest)}, {base}."


def _from(cells: Sequence[Cell], unit: str) -> str:
    """What could have been seen of cells on which nothing was."""
    smallest = max((cell.smallest or 0 for cell in cells), default=0)
    return f" (a difference could be seen from {amount(smallest, unit)} on)" if smallest else ""


def _told(topic: Topic, change: float) -> str:
    return f"{amount(abs(change), topic.unit)} {topic.more if change > 0 else topic.less}"


def per_served(reading: Callable[[Window], float]) -> Reading:
    """The reading, for each request that was answered well."""
    return lambda window: reading(window) / window.served if window.served else None
