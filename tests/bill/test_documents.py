"""Are the figures in documents those of committed results that may be quoted?"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bill.documents import PICTURE, NoMarkers, figures, filled, picture, whole
from borough_bill.analysis.bill import bill
from borough_bill.analysis.checks import (
    FAILED_LIMIT,
    FREEZE_LIMIT,
    GENERATOR_LIMIT,
    MEMORY_LIMIT,
    NULL_LEVEL,
    OTHERS_LIMIT,
    REPEATED_LIMIT,
    SLIP_LIMIT_MS,
    SPEED_LIMIT,
    UNSERVED_LIMIT,
)
from borough_bill.analysis.formats import share
from borough_bill.analysis.ladder import CHANCE_LIMIT, RESIDUAL
from borough_bill.report.sections import validity
from borough_bill.results import Result, read, write
from borough_bill.targets.machine import DIRTY, UNKNOWN

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "bill.md"
COMMITTED = DOCS / "results"
BLOCKS = 10
"""The fewest blocks of a bill whose figures are quoted."""
BENCH_BLOCKS = 5
ROWS = (
    "Local unsampled", "One hop, 1 in flight", "One hop, 16 in flight", "beside httpx",
    "beside aiohttp", "Throughput with metrics only", "Throughput with metrics, 1 %",
    "Throughput with metrics, every request traced", "a log line a request",
    "CPU that telemetry adds", "Requests' p99 while /metrics", "An order's median in microservices",
    "sequential hop", "Memory at rest (RSS)", "Time from process start to ready",
    "Generator flat out", "Generator's CPU", "Generator's memory", "Generator late",
)  # fmt: skip  # a part of the name of every row of `make bench`
SCALERS = tuple(
    f"10,000 scalers every 15 s: {what}"
    for what in ("how late", "CPU at rest", "peak memory", "writes", "objects with a finalizer")
)
ORDERS = (
    "PostgreSQL's own CPU",
    *(
        f"An order's CPU, {shape}, {database}"
        for shape in ("monolith", "microservices")
        for database in ("SQLite", "PostgreSQL")
    ),
)
CORE = tuple(
    f"{what}, monolith, {database}"
    for what in (
        "Orders a second on one core", "Goodput a core with p99 <= 100 ms",
        "Events relayed a second", "Event loop's lag, 99th percentile",
    )
    for database in ("SQLite", "PostgreSQL")
)  # fmt: skip  # likewise, beside a commit
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_figures_are_headlines_and_ladder_with_intervals(measured: Result) -> None:
    """With the machine, the commit and the seed."""
    found = bill(measured)
    text = figures(found)

    (line,) = (line for line in found.lines if line.headline and line.unit == "us")
    ladder = next(ladder for ladder in found.ladders if ladder.unit == "ms")
    assert f"| CPU of an order, µs | {line.value.mean:,.0f} | +" in text
    assert all(f"+{cell.change.mean:,.0f} (" in text for cell in line.cells)
    assert all(f"{s.added.mean:+.2f} (" in text for s in ladder.steps if s.added is not None)
    assert f"| **sum** | +{ladder.climbed.mean:.2f} (" in text
    assert re.search(
        r"takes 2\.\d\d ms and 1,.* monolith add 3\.\d\d ms \(.* to .*\) and 2,\d+ µs of CPU \(",
        text,
    )
    assert text.startswith("Valid: all")
    assert f"]({PICTURE})" in text
    assert all(fact in text for fact in ("a made-up CPU", "commit 0123abc", f"seed {found.seed}"))


def test_void_family_has_no_figures(planted: Callable[..., Result]) -> None:
    """Latency of a late generator is in no document; CPU and memory are."""
    text = figures(bill(planted(slip_ms=30.0)))

    assert text.startswith("Valid: CPU, memory, hops, failures and books. VOID: latency (slip).")
    assert "| CPU of an order, µs |" in text
    assert "latency, mean" not in text
    assert "latency of an order" not in text


def test_bill_without_a_valid_line_has_no_figures(measured: Result) -> None:
    """There is no table and no picture, but the failed checks."""
    found = bill(measured.model_copy(update={"windows": ()}))
    text = figures(found)

    assert text.startswith("Valid: books. VOID: latency (")
    assert "|" not in text
    assert PICTURE not in text
    assert "VOID: " in picture(found)


def test_bill_without_a_ladder_shows_cpu_by_part(measured: Result) -> None:
    """A demonstration has no ladder."""
    plan = measured.plan.model_copy(update={"ladder": False})
    windows = tuple(window for window in measured.windows if window.rung is None)
    found = bill(measured.model_copy(update={"plan": plan, "windows": windows}))

    assert f"![Where the CPU of an order is spent]({PICTURE})" in figures(found)
    assert "**sum**" not in figures(found)
    assert "payments" in picture(found)


def test_picture_is_self_contained(measured: Result) -> None:
    """It is well-formed, and defines every CSS variable that it uses."""
    drawn = picture(bill(measured))

    texts = {text.text for text in ET.fromstring(drawn).findall(".//{*}text")}  # noqa: S314  # our own
    assert {"= microservices as shipped", "µs"} <= texts
    for variable in set(re.findall(r"var\((--\w+)\)", drawn)):
        assert f"{variable}: " in drawn


def test_saga_is_left_out_where_it_is_not_significant(planted: Callable[..., Result]) -> None:
    """With equal latency of baseline and monolith, only CPU is quoted."""
    same = {"monolith-again": 6.0, "apis": 6.8, "extract-payments": 6.9, "microservices": 9.5}
    text = figures(bill(planted(latency_ms={"monolith": 6.0, "baseline": 6.0, **same})))

    assert not re.search(r"monolith add .* ms", text)
    assert re.search(r"monolith add [0-9,]+ µs of CPU \(", text)


def test_only_text_between_the_markers_is_replaced(tmp_path: Path) -> None:
    """A second time changes nothing."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bill -->\nold\\1\n<!-- /bill -->\nafter\n")

    page.write_text(filled(page, "new\\1"))

    assert page.read_text() == "before\n<!-- bill -->\nnew\\1\n<!-- /bill -->\nafter\n"
    assert filled(page, "new\\1") == page.read_text()


@pytest.mark.parametrize("text", ["", "<!-- bill -->", "<!-- /bill --> <!-- bill -->"])
def test_page_without_markers_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """Otherwise a document would keep its old figures."""
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(NoMarkers, match=r"page\.md has no place"):
        filled(page, "new")


def test_generated_page_names_its_source(measured: Result) -> None:
    """Its first line names the result and the command."""
    page = whole(bill(measured), Path("docs/results/bill.json"))

    assert page.startswith("<!-- Generated by make generate from docs/results/bill.json. -->")
    assert "## Validity" in page


def test_documentation_has_every_check_with_families_and_limit(measured: Result) -> None:
    """The table in docs/bill.md agrees with the code."""
    windows = tuple(w.model_copy(update={"others_s": 0.0}) for w in measured.windows)
    rows = {
        name: (families, text)
        for names, families, text in ROW.findall(PAGE.read_text())
        for name in names.split(", ")
    }

    for check in bill(measured.model_copy(update={"windows": windows})).checks:
        named = max((n for n in rows if check.name.startswith(n)), key=len, default="")
        assert named, check.name
        assert all(family in rows[named][0] for family in check.voids), check.name
    rows = {name: text for name, (_, text) in rows.items()}
    for name, limit in {
        "served": share(UNSERVED_LIMIT, 1),
        "few failures": share(FAILED_LIMIT),
        "freeze": share(FREEZE_LIMIT),
        "slip": f"{SLIP_LIMIT_MS:g} ms",
        "generator": share(GENERATOR_LIMIT),
        "own core": share(OTHERS_LIMIT),
        "A/A latency": share(NULL_LEVEL),
        "A/A CPU": share(SPEED_LIMIT),
        "A/A memory": share(MEMORY_LIMIT),
        "hop counts": share(REPEATED_LIMIT),
        "closure": share(RESIDUAL),
    }.items():
        assert limit in rows[name], name
    assert share(CHANCE_LIMIT) in rows["closure"]


def quotable(result: Path) -> list[str]:
    """The reasons why the figures of a result must not be quoted in a document."""
    found = bill(read(result))
    return [
        why
        for why, holds in {
            validity(found): bool(found.void),
            f"{found.plan.blocks} blocks are fewer than {BLOCKS}": found.plan.blocks < BLOCKS,
            f"commit {found.commit} is not committed code": DIRTY in found.commit
            or found.commit == UNKNOWN,
        }.items()
        if holds
    ]


def missing(rows: Path, wanted: Sequence[str] = ROWS) -> list[str]:
    """The rows that a bench lacks."""
    names = [row["name"] for row in json.loads(rows.read_text())]
    return [row for row in wanted if not any(row in name for name in names)]


def test_committed_results_are_valid_long_enough_and_complete() -> None:
    """They are of a commit that can be checked out, and no row is missing."""
    assert quotable(COMMITTED / "bill.json") == []
    assert missing(COMMITTED / "bench.json") == []
    assert missing(COMMITTED / "bench-operator.json", SCALERS) == []
    assert missing(COMMITTED / "bench-orders.json", ORDERS) == []
    assert missing(COMMITTED / "bench-core.json", CORE) == []
    for run in ("bench-run", "bench-operator-run", "bench-orders-run", "bench-core-run"):
        facts = json.loads((COMMITTED / f"{run}.json").read_text())["facts"]
        assert DIRTY not in facts["Commit"]
    facts = json.loads((COMMITTED / "bench-run.json").read_text())["facts"]
    assert int(facts["Run"].partition(" blocks")[0].rsplit(" ", 1)[1]) >= BENCH_BLOCKS


def test_result_that_must_not_be_quoted_is_found(
    planted: Callable[..., Result], measured: Result, tmp_path: Path
) -> None:
    """One that is void, too short, or of uncommitted code; and a bench without a row."""
    path = tmp_path / "bill.json"
    for result, why in (
        (planted(slip_ms=30.0), "Valid: CPU, memory, hops, failures and books. VOID: latency"),
        (planted(blocks=4), "4 blocks"),
        (measured.model_copy(update={"commit": f"0123abc{DIRTY}-12345678"}), "commit"),
    ):
        write(result, path)
        assert any(text.startswith(why) for text in quotable(path)), why
    write(measured, path)
    assert quotable(path) == []

    path.write_text(json.dumps([{"name": name} for name in ROWS if "aiohttp" not in name]))
    assert missing(path) == ["beside aiohttp"]
