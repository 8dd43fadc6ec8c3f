"""A bill in all its forms: on the screen, as HTML, as Markdown and as JSON.

A file of its own because it alone knows all four.
"""

from pathlib import Path

from rich.console import Console

from borough_bill.analysis.bill import Bill, bill
from borough_bill.report.markdown import markdown
from borough_bill.report.terminal import terminal
from borough_bill.results import Result

PAGE, MARKDOWN, DATA = "report.html", "bill.md", "bill.json"


def publish(result: Result, folder: Path, console: Console) -> Bill:
    """Compute and print the bill, and write its HTML, Markdown and JSON to the folder."""
    from borough_bill.report.html import html  # noqa: PLC0415  # needs the extra

    found = bill(result)
    (folder / MARKDOWN).write_text(markdown(found), "utf-8")
    (folder / DATA).write_text(found.model_dump_json(indent=1), "utf-8")
    page = folder / PAGE
    page.write_text(html(found), "utf-8")
    terminal(found, console)
    console.print(f"\nThe whole bill: {page.resolve().as_uri()}", soft_wrap=True, highlight=False)
    return found
