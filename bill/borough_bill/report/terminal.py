"""The bill on the screen, for 80 to 120 columns."""

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from borough_bill.analysis.bill import Bill
from borough_bill.report import sections, tables
from borough_bill.report.tables import Entry, Table

OVERALL = {"valid": "bold green", "partly": "bold yellow", "void": "bold red"}
STYLES = {"": "", "good": "green", "bad": "bold red", "quiet": "dim"}


def terminal(bill: Bill, console: Console) -> None:
    """Print the validity with the remedies, the bill and its ladders in short, and the facts."""
    _title(sections.title(bill), console)
    console.print(_grid(tables.families(bill)))
    console.print(Text(sections.validity(bill), OVERALL[sections.overall(bill)]))
    for sentence in (*sections.not_measured(bill), *sections.failed_checks(bill)):
        _say(sentence, console)
    _costs(bill, console)
    _title("How it was measured", console)
    console.print(_grid(tables.facts(bill)))


def _costs(bill: Bill, console: Console) -> None:
    costs = tables.lines(bill, "shapes")
    if costs is not None:
        _title(f"Per {bill.plan.noun}", console)
        console.print(_grid(costs))
        for sentence in (*sections.headlines(bill), sections.legend(bill)):
            _say(sentence, console)
    for ladder in bill.ladders:
        _title(f"The ladder: {ladder.title}", console)
        console.print(_grid(tables.ladder(ladder, bill.plan.reference, bill.plan.top)))
        for sentence in sections.ladder_sentences(bill, ladder):
            _say(sentence, console)
    saga = tables.lines(bill, "saga")
    if saga is not None:
        _title(sections.SAGA, console)
        console.print(_grid(saga))


def _title(text: str, console: Console) -> None:
    console.print()
    console.print(Text(text, "bold"))


def _say(sentence: str, console: Console) -> None:
    console.print(Padding(Text(f"- {sentence}"), (0, 0, 0, 2)))


def _grid(table: Table) -> Grid:
    """The table without the notes of its first column, which are for wider pages."""
    headed = any(table.head)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_header=headed)
    for number, heading in enumerate(table.head):
        grid.add_column(
            heading, overflow="fold", justify="left" if number < table.texts else "right"
        )
    for first, *others in table.rows:
        grid.add_row(*map(_text, (first._replace(note=""), *others)))
    return grid


def _text(entry: Entry) -> Text:
    text = Text(entry.text, STYLES[entry.tone])
    return text.append(f"\n{entry.note}", "dim") if entry.note else text
