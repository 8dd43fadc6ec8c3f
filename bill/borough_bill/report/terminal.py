"""The bill on a screen: for 120 columns, readable in 80."""

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from borough_bill.analysis.bill import Bill
from borough_bill.report import tables
from borough_bill.report.sections import climb, faults, gist, key, missing, mood, title, verdict
from borough_bill.report.tables import Table, Word

MOODS = {"valid": "bold green", "partly": "bold yellow", "void": "bold red"}
STYLES = {"": "", "good": "green", "bad": "bold red", "quiet": "dim"}


def terminal(bill: Bill, console: Console) -> None:
    """Print what is valid and what is not, with what would help; the bill and its ladders in short;
    and the facts.
    """
    _title(title(bill), console)
    console.print(_grid(tables.families(bill)))
    console.print(Text(verdict(bill), MOODS[mood(bill)]))
    for sentence in (*missing(bill), *faults(bill)):
        _say(sentence, console)
    _costs(bill, console)
    _title("How it was measured", console)
    console.print(_grid(tables.facts(bill)))


def _costs(bill: Bill, console: Console) -> None:
    costs = tables.lines(bill, "shapes")
    if costs is not None:
        _title(f"Per {bill.plan.noun}", console)
        console.print(_grid(costs))
        for sentence in (*gist(bill), key(bill)):
            _say(sentence, console)
    for ladder in bill.ladders:
        _title(f"The ladder: {ladder.title}", console)
        console.print(_grid(tables.ladder(ladder, bill.plan.reference, bill.plan.top)))
        for sentence in climb(bill, ladder):
            _say(sentence, console)
    saga = tables.lines(bill, "saga")
    if saga is not None:
        _title("Saga or boundary?", console)
        console.print(_grid(saga))


def _title(text: str, console: Console) -> None:
    console.print()
    console.print(Text(text, "bold"))


def _say(sentence: str, console: Console) -> None:
    console.print(Padding(Text(f"- {sentence}"), (0, 0, 0, 2)))


def _grid(table: Table, columns: int | None = None) -> Grid:
    """The table, or its first columns; what the first says in small print is for larger pages."""
    headed = any(table.head)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_header=headed)
    for number, heading in enumerate(table.head[:columns]):
        grid.add_column(
            heading, overflow="fold", justify="left" if number < table.texts else "right"
        )
    for first, *others in table.rows:
        grid.add_row(*map(_text, (first._replace(note=""), *others)[:columns]))
    return grid


def _text(word: Word) -> Text:
    text = Text(word.text, STYLES[word.mood])
    return text.append(f"\n{word.note}", "dim") if word.note else text
