"""Does a row say what was measured, and judge it as its goal says?"""

import math
from pathlib import Path

import pytest

from bench.render import page
from bench.rows import LEVEL, Goal, Row, interval, read, write

HOP = Row.judged(
    "One hop", "us CPU/call", 230.0,
    peer=1_234.5, peer_name="aiohttp", ratios=[0.18, 0.25, 0.186], goal=Goal("ratio", "<=", 1 / 3),
)  # fmt: skip  # a row reads as one


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("ours", "<=", 2), True),
        (Goal("ours", "<=", 1.9), False),
        (Goal("ours", ">=", 2), True),
        (Goal("ratio", ">=", 0.5), True),
        (Goal("ratio", "<=", 0.4), False),
    ],
)
def test_goal_is_met_at_its_limit(goal: Goal, met: bool) -> None:  # noqa: FBT001  # the case's verdict
    """And judges the value it names, ours or the ratio."""
    assert Row.judged("a row", "us", 2.0, ratio=0.5, goal=goal).met is met


def test_row_without_a_goal_has_no_verdict() -> None:
    """There is nothing to judge it by."""
    row = Row.judged("a row", "us", 2.0)

    assert (row.goal, row.met) == (None, None)


def test_goal_about_an_unmeasured_ratio_is_refused() -> None:
    """It would be met by silence."""
    with pytest.raises(ValueError, match="a row: the goal is ratio <= 2, and there is no ratio"):
        Row.judged("a row", "us", 2.0, goal=Goal("ratio", "<=", 2))


def test_ratio_of_a_row_is_the_median_of_its_blocks() -> None:
    """Unless the subject says another."""
    assert Row.judged("a row", "us", 2.0, ratios=[0.9, 0.1, 0.5]).ratio == 0.5
    assert Row.judged("a row", "us", 2.0, ratio=0.4, ratios=[0.9, 0.1, 0.5]).ratio == 0.4


@pytest.mark.parametrize("n", range(6, 41))
def test_interval_of_a_median_is_the_narrowest_of_sufficient_coverage(n: int) -> None:
    """Its coverage is that of the binomial distribution; one rank further in it is too low."""
    low, high = interval([float(value) for value in reversed(range(n))]) or (0.0, 0.0)

    def coverage(low: float, high: float) -> float:
        ways = [math.comb(n, k) for k in range(int(low) + 1, int(high) + 1)]
        return math.fsum(ways) / math.pow(2, n)

    assert coverage(low, high) >= LEVEL > coverage(low + 1, high - 1)
    assert low + high == n - 1


@pytest.mark.parametrize("n", range(6))
def test_fewer_than_six_blocks_have_no_interval(n: int) -> None:
    """Even the lowest and the highest of five miss the median once in sixteen times."""
    assert interval([1.0] * n) is None


def test_page_shows_the_interval_of_a_row() -> None:
    """Nine blocks leave out the extreme ones, three show them."""
    nine = Row.judged("Nine", "ms", 1.0, ratios=[0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    text = page({"a.json": ([nine, HOP], {})})

    assert "0.500 (0.200 to 0.800)" in text
    assert "0.186 (0.180 to 0.250)" in text


def test_written_rows_are_read_back(tmp_path: Path) -> None:
    """The file is a plain list of plain rows."""
    file = tmp_path / "deep" / "bench.json"

    write([HOP], {"facts": {"Commit": "abc"}}, file)

    rows, run = read(file)
    assert rows == (HOP,)
    assert run["facts"] == {"Commit": "abc"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"name": "x"}]'])
def test_malformed_file_of_rows_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """Documents are made from it."""
    file = tmp_path / "bench.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=r"bench\.json is no list of bench rows"):
        read(file)


def test_page_shows_the_run_and_each_verdict() -> None:
    """A figure without its machine and its goal says nothing."""
    memory = Row.judged("Memory", "MiB", 120.0)
    text = page({"a.json": ([HOP], {"Commit": "abc"}), "b.json": ([memory], {"Commit": "def"})})

    one, other = text.split("## b.json")
    assert "- Commit: abc\n" in one
    assert "1 of 1 goals are met." in one
    assert "| One hop | us CPU/call | 230 | 1,234 (aiohttp) | 0.186 (0.180 to 0.250) |" in one
    assert "| ratio <= 0.333 | yes |" in one
    assert "- Commit: def\n" in other
    assert "| Memory | MiB | 120 |  |  |  |  |" in other
