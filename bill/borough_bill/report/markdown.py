"""The bill as Markdown."""

from collections.abc import Iterator

from borough_bill.analysis.bill import Bill
from borough_bill.report.sections import sections, title
from borough_bill.report.tables import Entry, Table


def markdown(bill: Bill) -> str:
    """The whole report without its figures, with tables in GitHub's syntax."""
    return "\n".join(_lines(bill))


def _lines(bill: Bill) -> Iterator[str]:
    yield f"# {title(bill)}"
    for section in sections(bill):
        yield f"\n## {section.title}\n"
        for sentence in section.sentences:
            yield f"- {_escaped(sentence)}"
        for table in (*section.tables, *section.more):
            yield ""
            yield from _table(table)
        if section.details:
            yield ""
            yield from (f"- {_escaped(sentence)}" for sentence in section.details)
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield _row(["---" if column < table.texts else "--:" for column in range(len(table.head))])
    for row in table.rows:
        yield _row([_cell(entry) for entry in row])


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(entry: Entry) -> str:
    note = f"<br><sub>{_escaped(entry.note)}</sub>" if entry.note else ""
    return f"{_escaped(entry.text)}{note}"


def _escaped(text: str) -> str:
    """The text with a backslash before each character that is Markdown syntax."""
    for character in "\\|*<_":
        text = text.replace(character, f"\\{character}")
    return text
