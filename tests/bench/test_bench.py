"""Does the bench run from its one command, and is what it compares real?"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.harness import ROOT, Bench, BenchFailed
from bench.hop import peers
from bench.rows import Row, read
from bench.scrape import while_scraped
from collector import Collector


def a_bench(folder: Path) -> Bench:
    return Bench(rounds=1, scale=0.01, long=False, seed=1, folder=folder, step=lambda _: None)


def test_bench_writes_its_rows_and_run(tmp_path: Path) -> None:
    """A list of rows, and beside it what they stand on."""
    out = tmp_path / "bench.json"
    done = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-m", "bench", "--only", "local", "--quick", "--out", str(out)],
        env={"PYTHONPATH": str(ROOT / "tests")}, capture_output=True, text=True, check=False,
    )  # fmt: skip  # the command on one line, as one would type it

    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(out.read_text())
    assert list(row) == ["name", "unit", "ours", "peer", "peer_name", "ratio", "goal", "met"]
    beside = json.loads((tmp_path / "bench-run.json").read_text())
    assert {"Machine", "Versions", "Commit", "Run"} <= beside["facts"].keys()
    assert beside["samples"]["local call"].keys() == {"local", "plain"}


def test_rows_measured_before_a_failure_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run takes minutes, and its last subject may fail."""

    async def well(_: Bench) -> list[Row]:
        return [Row.judged("a row", "us", 2.0)]

    async def fails(_: Bench) -> list[Row]:
        raise BenchFailed("a part is not ready")

    monkeypatch.setattr("bench.__main__.SUBJECTS", {"well": well, "fails": fails})
    out = tmp_path / "bench.json"

    result = CliRunner().invoke(app, ["--out", str(out)])

    assert isinstance(result.exception, BenchFailed)
    assert [row.name for row in read(out)[0]] == ["a row"]


async def test_row_of_a_blocked_scraper_fails() -> None:
    """A tail without scrapes would meet the goal."""

    async def answers_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def measured() -> float:
        return 1.0

    async with await asyncio.start_server(answers_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BenchFailed, match=r"/metrics was read 0 times in 3\.0 s"):
            await while_scraped(port, 3.0, measured)


def test_unknown_subject_is_refused_by_name() -> None:
    """With those that are."""
    result = CliRunner().invoke(app, ["--only", "lcoal"])

    assert result.exit_code == 2
    assert "there is no subject lcoal" in result.output


async def test_peers_export_a_span_for_every_call_at_both_ends(tmp_path: Path) -> None:
    """A peer that exported nothing would be a cheap one; so a span that is lost ends the bench."""
    bench = a_bench(tmp_path)
    async with Collector() as collector, peers(bench, collector.url) as hops:
        for call in hops.values():
            assert await call(2) > 0

        kinds = [(span.resource["service.name"], span.kind) for span in collector.spans]
        collector.status = 400
        with pytest.raises(BenchFailed, match="SpansLost"):
            await hops["aiohttp"](2)

    warm_up_and_calls = 2 * 2 * bench.calls(1)
    assert kinds.count(("caller", "client")) == warm_up_and_calls
    assert kinds.count(("callee", "server")) == warm_up_and_calls
