"""Do all forms of a report have the same content, and is the page self-contained?"""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from borough_bill.analysis.bill import Bill, bill
from borough_bill.report.plots import figure
from borough_bill.report.publish import html, markdown, terminal
from borough_bill.report.sections import SAGA, validity
from borough_bill.results import Result

LOADS = {"src", "srcset", "poster", "data", "action"}


@pytest.fixture(scope="module")
def found(measured: Result) -> Bill:
    """A valid bill."""
    return bill(measured)


@pytest.fixture(scope="module")
def void(measured: Result) -> Bill:
    """The bill of a result without its freeze test."""
    return bill(measured.model_copy(update={"freeze": None}))


@pytest.fixture(scope="module")
def page(found: Bill) -> str:
    """The page of the valid bill."""
    return html(found)


def printed(found: Bill, width: int) -> str:
    """The text on a screen of that width."""
    console = Console(file=io.StringIO(), width=width, record=True)
    terminal(found, console)
    return console.export_text()


class Loads(HTMLParser):
    """Finds everything that a page would load."""

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
    """What a page would load, style sheets included."""
    parser = Loads()
    parser.feed(text)
    styles = re.findall(r"<style.*?</style>", text, re.DOTALL)
    scripts = [tag for tag in parser.open if tag in ("script", "iframe", "link", "image")]
    return [*parser.found, *scripts, *(s for s in styles if re.search(r"@import|url\((?!#)", s))]


def test_page_loads_nothing(page: str) -> None:
    """It can be read without a network."""
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
def test_loaded_file_is_found(fetching: str) -> None:
    """The check above can fail."""
    assert loads(fetching)


def test_page_has_four_figures_with_their_numbers(page: str) -> None:
    """Latencies, both ladders and CPU by part, each with a table of its numbers."""
    assert page.count("<svg") == 4
    assert page.count("<summary>the numbers</summary>") == 4
    for text in ("microservices as shipped", "T3", "payments", "extract-payments", "99 %"):
        assert re.search(rf"<text[^>]*>[^<]*{re.escape(text)}", page), text
    assert "base64" not in page


def test_ids_of_figures_are_unique(page: str) -> None:
    """Otherwise a figure would use the clip path of another."""
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert ids
    assert len(ids) == len(set(ids))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert used in ids


def test_page_uses_css_variables_for_text(page: str) -> None:
    """No placeholder colour of matplotlib is left, and there is a dark scheme."""
    assert "var(--ink)" in page
    assert not re.search(r"#0[0-9a-f]{5}\b", page)
    assert "prefers-color-scheme: dark" in page


def test_same_bill_gives_the_same_page(found: Bill, page: str) -> None:
    """A generated file changes only with its data."""
    assert html(found) == page


@pytest.mark.parametrize("width", [80, 120])
def test_screen_begins_with_validity_and_fits(width: int, found: Bill) -> None:
    """Every family and its checks precede the first line of the bill; no line is too wide."""
    text = printed(found, width)
    checked, bill_begins = text[: text.index("Per order")], text.index("Per order")

    assert max(map(len, text.splitlines())) <= width
    for one in found.families:
        assert f" {one.family} " in checked
    for check in found.checks:
        assert all(word in checked for word in check.name.split())
    assert text.index(validity(found)) < bill_begins
    for word in ("detection limit", "T6 - T0", "residual", SAGA):
        assert word in " ".join(text.split())


def test_every_form_has_all_checks_and_lines(found: Bill, page: str) -> None:
    """Markdown and page begin with the checks, and have every line."""
    for text in (markdown(found), page):
        plain = re.sub(r"\\([*_|<])", r"\1", text).replace("&#39;", "'")
        begins = plain.index("The bill")
        assert all(plain.index(check.sentence) < begins for check in found.checks)
        assert all(one.sentence in plain for one in found.lines)
        assert "a made-up CPU" in plain
        assert "Made up, for a test." in plain


def test_void_family_is_printed_with_check_and_remedy_and_without_lines(
    void: Bill,
) -> None:
    """In every form; the lines of the other families are printed."""
    expected = (
        "Valid: CPU, memory, hops, failures and books. VOID: latency (freeze).",
        "No line of a void family is printed.",
        "freeze: The freeze test was not run. Found -, allowed p95 0.5 s, p99 0.9 s, within 5 %.",
        "Remedy: End other programs on this machine; ",
    )
    for text in (printed(void, 120), markdown(void), html(void)):
        plain = " ".join(text.split())
        assert all(sentence in plain for sentence in expected)
        assert "D1 " not in text
        assert "latency, mean" not in text
        assert "CPU of an order" in text
    assert html(void).count("<svg") == 2


def test_bill_is_equal_after_json(found: Bill) -> None:
    """The JSON form has all that the others print."""
    assert Bill.model_validate_json(found.model_dump_json()) == found


def test_note_is_escaped_in_html_and_markdown(measured: Result) -> None:
    """A note may contain the syntax of both."""
    notes = ("a <b>bold</b> | note",)
    made = bill(measured.model_copy(update={"notes": notes, "freeze": None}))

    assert "<b>bold" not in html(made)
    assert r"a \<b>bold\</b> \| note" in markdown(made)


def test_unknown_figure_is_refused(found: Bill) -> None:
    """The message has its name."""
    with pytest.raises(ValueError, match="no figure pie"):
        figure(found, "pie")
