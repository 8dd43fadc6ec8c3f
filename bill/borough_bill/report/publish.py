"""A bill in all its forms: on the screen, as HTML, as Markdown and as JSON.

HTML, figures and statistics need packages of the extra `report`, which a bill needs and a load does
not: they are imported inside functions, so that `load` runs without them, in a small image.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from borough_bill.analysis.bill import Bill, bill
from borough_bill.report import sections, tables
from borough_bill.report.sections import Section
from borough_bill.report.tables import Entry, Table
from borough_bill.results import Result

EXTRA = ("jinja2", "matplotlib", "scipy")
PAGE, MARKDOWN, DATA = "report.html", "bill.md", "bill.json"
OVERALL = {"valid": "bold green", "partly": "bold yellow", "void": "bold red"}
STYLES = {"": "", "good": "green", "bad": "bold red", "quiet": "dim"}


class MissingExtra(Exception):
    """A package is not installed; the message names it and its extra."""


def need_report() -> None:
    """Raise MissingExtra where a package of the extra is missing. Commands that end in a bill call
    it first, because a run may take an hour.
    """
    if missing := [name for name in EXTRA if find_spec(name) is None]:
        raise MissingExtra(
            f"a bill needs {', '.join(missing)}, which the extra brings: borough-bill[report]"
        )


def publish(result: Result, folder: Path, console: Console) -> Bill:
    """Compute and print the bill, and write its HTML, Markdown and JSON to the folder."""
    found = bill(result)
    (folder / MARKDOWN).write_text(markdown(found), "utf-8")
    (folder / DATA).write_text(found.model_dump_json(indent=1), "utf-8")
    page = folder / PAGE
    page.write_text(html(found), "utf-8")
    terminal(found, console)
    console.print(f"\nThe whole bill: {page.resolve().as_uri()}", soft_wrap=True, highlight=False)
    return found


def html(bill: Bill) -> str:
    """The whole report with its figures as one page without references to other files, for screen,
    phone and print, in light and dark.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # an extra
    from markupsafe import Markup  # noqa: PLC0415  # as above

    from borough_bill.report.plots import figure  # noqa: PLC0415  # as above

    def drawn(section: Section) -> Markup:
        return Markup(figure(bill, section.figure))  # noqa: S704  # matplotlib escapes the text

    environment = Environment(
        loader=PackageLoader("borough_bill.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.j2").render(
        bill=bill,
        overall=sections.overall(bill),
        drawn=drawn,
        sections=tuple(sections.sections(bill)),
        title=sections.title(bill),
        validity=sections.validity(bill),
    )


def markdown(bill: Bill) -> str:
    """The whole report without its figures, with tables in GitHub's syntax."""
    return "\n".join(_lines(bill))


def _lines(bill: Bill) -> Iterator[str]:
    yield f"# {sections.title(bill)}"
    for section in sections.sections(bill):
        yield f"\n## {section.title}\n"
        yield from (f"- {_escaped(sentence)}" for sentence in section.sentences)
        for table in (*section.tables, *section.more):
            yield ""
            rows = ([_cell(entry) for entry in row] for row in table.rows)
            yield from rows_of(table.head, rows, table.texts)
        if section.details:
            yield ""
            yield from (f"- {_escaped(sentence)}" for sentence in section.details)
    yield ""


def rows_of(head: Iterable[str], rows: Iterable[Iterable[str]], texts: int = 1) -> Iterator[str]:
    """The lines of a Markdown table, whose columns after the first `texts` hold numbers."""
    head = tuple(head)
    ruler = ("---" if column < texts else "--:" for column in range(len(head)))
    yield from (f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _cell(entry: Entry) -> str:
    note = f"<br><sub>{_escaped(entry.note)}</sub>" if entry.note else ""
    return f"{_escaped(entry.text)}{note}"


def _escaped(text: str) -> str:
    """The text with a backslash before each character that is Markdown syntax."""
    for character in "\\|*<_":
        text = text.replace(character, f"\\{character}")
    return text


def terminal(bill: Bill, console: Console) -> None:
    """Print, for 80 to 120 columns, the validity with the remedies, the bill and its ladders in
    short, and the facts.
    """

    def say(sentences: Iterable[str]) -> None:
        for sentence in sentences:
            console.print(Padding(Text(f"- {sentence}"), (0, 0, 0, 2)))

    def show(title: str, table: Table | None, sentences: Iterable[str] = ()) -> None:
        if table is not None:
            console.print()
            console.print(Text(title, "bold"))
            console.print(_grid(table))
            say(sentences)

    show(sections.title(bill), tables.families(bill))
    console.print(Text(sections.validity(bill), OVERALL[sections.overall(bill)]))
    say((*sections.not_measured(bill), *sections.failed_checks(bill)))
    costs = (*sections.headlines(bill), sections.legend(bill))
    show(f"Per {bill.plan.noun}", tables.lines(bill, "shapes"), costs)
    for ladder in bill.ladders:
        table = tables.ladder(ladder, bill.plan.reference, bill.plan.top)
        show(f"The ladder: {ladder.title}", table, sections.ladder_sentences(bill, ladder))
    show(sections.SAGA, tables.lines(bill, "saga"))
    show("How it was measured", tables.facts(bill))


def _grid(table: Table) -> Grid:
    """The table without the notes of its first column, which are for wider pages."""
    headed = any(table.head)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_header=headed)
    for number, heading in enumerate(table.head):
        justify: Literal["left", "right"] = "left" if number < table.texts else "right"
        grid.add_column(heading, overflow="fold", justify=justify)
    for first, *others in table.rows:
        grid.add_row(*map(_text, (first._replace(note=""), *others)))
    return grid


def _text(entry: Entry) -> Text:
    text = Text(entry.text, STYLES[entry.tone])
    return text.append(f"\n{entry.note}", "dim") if entry.note else text
