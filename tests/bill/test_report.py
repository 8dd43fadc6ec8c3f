"""Does a report say the same in every form, whole and in itself?"""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from borough_bill.analysis.bill import Bill, bill
from borough_bill.report.html import html
from borough_bill.report.markdown import markdown
from borough_bill.report.plots import figure
from borough_bill.report.sections import verdict
from borough_bill.report.terminal import terminal
from borough_bill.results import Result

LOADS = {"src", "srcset", "poster", "data", "action"}


@pytest.fixture(scope="module")
def found(measured: Result) -> Bill:
    """A valid bill."""
    return bill(measured)


@pytest.fixture(scope="module")
def void(measured: Result) -> Bill:
    """A bill of a measurement without its freeze test."""
    return bill(measured.model_copy(update={"freeze": None}))


@pytest.fixture(scope="module")
def page(found: Bill) -> str:
    """The valid bill as a page."""
    return html(found)


def printed(found: Bill, width: int) -> str:
    """What a screen of that width shows."""
    console = Console(file=io.StringIO(), width=width, record=True)
    terminal(found, console)
    return console.export_text()


class Loads(HTMLParser):
    """Finds everything that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        for name, value in attrs:
            inside = (value or "").startswith("#")
            if name in LOADS or (name in ("href", "xlink:href") and not inside):
                self.found.append(f"{tag} {name}={value}")
            if "url(" in (value or "") and "url(#" not in (value or ""):
                self.found.append(f"{tag} {name}={value}")


def loads(text: str) -> list[str]:
    """What a page would fetch, style sheets included."""
    parser = Loads()
    parser.feed(text)
    styles = re.findall(r"<style.*?</style>", text, re.DOTALL)
    scripts = [tag for tag in parser.open if tag in ("script", "iframe", "link", "image")]
    return [*parser.found, *scripts, *(s for s in styles if re.search(r"@import|url\((?!#)", s))]


def test_the_page_needs_no_other(page: str) -> None:
    """It can be mailed, archived and read without a network."""
    assert loads(page) == []


@pytest.mark.parametrize(
    "fetching",
    [
        "<img src='plot.png'>",
        "<link rel=stylesheet href='https://example.org/x.css'>",
        "<style>@import 'x.css';</style>",
        "<p style='background: url(x.png)'>",
    ],
)
def test_what_a_page_would_fetch_is_found(fetching: str) -> None:
    """The check can fail."""
    assert loads(fetching)


def test_the_page_has_a_figure_for_everything_that_is_shown(page: str) -> None:
    """Latencies, both ladders and CPU by part, each with its numbers in text beside it."""
    assert page.count("<svg") == 4
    assert page.count("<summary>the numbers</summary>") == 4
    for text in ("microservices as shipped", "T3", "payments", "extract-payments", "99 %"):
        assert re.search(rf"<text[^>]*>[^<]*{re.escape(text)}", page), text
    assert "base64" not in page


def test_ids_are_not_shared_by_figures(page: str) -> None:
    """Else a figure would be clipped by another's frame."""
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert ids
    assert len(ids) == len(set(ids))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert used in ids


def test_the_page_has_no_colour_of_its_own_for_ink(page: str) -> None:
    """In a dark room text is light: matplotlib's black is nowhere left."""
    assert "var(--ink)" in page
    assert not re.search(r"#0[0-9a-f]{5}\b", page)
    assert "prefers-color-scheme: dark" in page


def test_the_same_bill_gives_the_same_page(found: Bill, page: str) -> None:
    """A generated file changes only with its data."""
    assert html(found) == page


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_asks_first_whether_to_believe(width: int, found: Bill) -> None:
    """Every family stands there with its checks before the first line of the bill; all fits."""
    text = printed(found, width)
    believed, bill_begins = text[: text.index("Per order")], text.index("Per order")

    assert max(map(len, text.splitlines())) <= width
    for one in found.families:
        assert f" {one.family} " in believed
    for check in found.checks:
        assert all(word in believed for word in check.name.split())
    assert text.index(verdict(found)) < bill_begins
    for word in ("visible from", "T6 - T0", "residual", "Saga or boundary?"):
        assert word in " ".join(text.split())


def test_every_form_begins_with_the_checks_and_has_every_line(found: Bill, page: str) -> None:
    """Nothing is told in one form and kept back in another."""
    for text in (markdown(found), page):
        plain = re.sub(r"\\([*_|<])", r"\1", text).replace("&#39;", "'")
        begins = plain.index("The bill")
        assert all(plain.index(check.sentence) < begins for check in found.checks)
        assert all(one.sentence in plain for one in found.lines)
        assert "a made-up CPU" in plain
        assert "Made up, for a test." in plain


def test_what_is_void_is_said_with_its_reason_and_no_line_and_the_rest_is_printed(
    void: Bill,
) -> None:
    """In every form: which check failed, what would help, and no number that could be quoted."""
    said = (
        "Valid: CPU, memory, hops, failures and books. VOID: latency (freeze).",
        "No line of what is void is printed.",
        "freeze: The freeze test was not run. Found -, allowed p95 0.5 s, p99 0.9 s, within 5 %.",
        "What would help: End what else runs on this machine; ",
    )
    for text in (printed(void, 120), markdown(void), html(void)):
        plain = " ".join(text.split())
        assert all(sentence in plain for sentence in said)
        assert "D1 " not in text
        assert "latency, mean" not in text
        assert "CPU of an order" in text
    assert html(void).count("<svg") == 2


def test_a_bill_is_data_that_can_be_read_again(found: Bill) -> None:
    """The JSON form holds all that the others print."""
    assert Bill.model_validate_json(found.model_dump_json()) == found


def test_a_name_cannot_break_the_page(measured: Result) -> None:
    """A note may hold what HTML and Markdown take for their own."""
    notes = ("a <b>bold</b> | note",)
    made = bill(measured.model_copy(update={"notes": notes, "freeze": None}))

    assert "<b>bold" not in html(made)
    assert r"a \<b>bold\</b> \| note" in markdown(made)


def test_a_figure_that_nobody_drew_is_refused(found: Bill) -> None:
    """With its name."""
    with pytest.raises(ValueError, match="no figure pie"):
        figure(found, "pie")
