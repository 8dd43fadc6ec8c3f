"""One line of a bill: a quantity of every subject, and how each differs from the reference.

A difference is claimed only when its interval excludes zero and it is larger than what two
instances of the same thing differed by; else the line says that nothing could be seen. Where there
is but one reading nothing is known of chance, and only the values are told.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from borough_bill.lines.runs import Reading, Runs, series
from borough_bill.lines.words import amount, listed, span, unseen
from borough_bill.results import Window
from borough_bill.statistics import (
    Interval,
    Series,
    difference,
    mean_of,
    p_value,
    ratio,
    smallest_visible,
)


class Cell(BaseModel):
    """A subject on a line.

    `smallest` is the smallest difference that could have been claimed here; `visible` is None where
    one reading says nothing about chance; `holds` says of a headline whether it stands when all
    headlines are tested at once.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    value: Interval
    change: Interval
    ratio: Interval | None
    p: float
    smallest: float | None
    visible: bool | None
    holds: bool | None = None


class Line(BaseModel):
    """`smallest` is the smallest difference A/A could see; None where there was no A/A."""

    model_config = ConfigDict(frozen=True)

    id: str
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
    smallest = visible_from(again, reference)
    return line("shapes", topic, (plan.reference, reference), found, smallest)


def visible_from(again: Series, reference: Series) -> float | None:
    """The smallest difference A/A could see; None where it had fewer than two blocks."""
    together = again.keys() & reference.keys()
    return smallest_visible(again, reference) if len(together) > 1 else None


def line(
    about: Literal["shapes", "telemetry", "saga"],
    topic: Topic,
    reference: tuple[str, Series],
    others: Mapping[str, Series],
    smallest: float | None,
) -> Line | None:
    """A line of these series, as many of them as share a block with the reference."""
    name, base = reference
    cells = tuple(
        _cell(subject, found, base, smallest)
        for subject, found in others.items()
        if found.keys() & base.keys()
    )
    if not cells:
        return None
    value = mean_of(base)
    return Line(
        id=topic.id,
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


def _cell(subject: str, found: Series, base: Series, smallest: float | None) -> Cell:
    change = difference(found, base)
    visible_from = max(smallest or 0, change.half_width)
    return Cell(
        subject=subject,
        value=mean_of(found),
        change=change,
        ratio=ratio(found, base),
        p=p_value(found, base),
        smallest=visible_from if change.n > 1 else None,
        visible=abs(change.mean) > visible_from if change.n > 1 else None,
    )


def _sentence(topic: Topic, name: str, value: Interval, cells: tuple[Cell, ...]) -> str:
    """In plain English: what was seen, then what was not."""
    unit = topic.unit
    if all(cell.visible is None for cell in cells):
        values = [(name, value), *((cell.subject, cell.value) for cell in cells)]
        shown = [f"{amount(found.mean, unit)} {topic.where} {who}" for who, found in values]
        return f"{topic.lead} {listed(shown)}; one reading each, so no difference is claimed."
    told = [
        f"{_told(topic, cell.change.mean)} {topic.where} {cell.subject} ({span(cell.change, unit)})"
        for cell in cells
        if cell.visible
    ]
    hidden = {cell.subject: cell.smallest or 0 for cell in cells if not cell.visible}
    base = f"than {topic.where} {name} ({amount(value.mean, unit)})"
    told_of = f"{topic.lead} {listed(told)} {base}" if told else ""
    if not hidden:
        return f"{told_of}."
    silence = f"{listed([*hidden], 'or')}, {unseen(max(hidden.values()), unit)}."
    return f"{told_of}; for {silence}" if told else f"{topic.title}: between {name} and {silence}"


def _told(topic: Topic, change: float) -> str:
    return f"{amount(abs(change), topic.unit)} {topic.more if change > 0 else topic.less}"


def per_served(reading: Callable[[Window], float]) -> Reading:
    """The reading, for each request that was answered well."""
    return lambda window: reading(window) / window.served if window.served else None
