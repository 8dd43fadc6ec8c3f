"""Does the bench run from its one command, and is what it compares real?"""

import json
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from bench.__main__ import app
from bench.harness import ROOT, Bench
from bench.hop import peers
from borough_bill.collector import Collector


def test_one_command_measures_and_writes_the_rows(tmp_path: Path) -> None:
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


def test_a_subject_that_is_not_there_is_named() -> None:
    """With those that are."""
    result = CliRunner().invoke(app, ["--only", "lcoal"])

    assert result.exit_code == 2
    assert "there is no subject lcoal" in result.output


async def test_the_peers_trace_every_call_on_both_sides_and_export_it(tmp_path: Path) -> None:
    """A peer that exported nothing would be a cheap one."""
    bench = Bench(rounds=1, scale=0.01, long=False, seed=1, folder=tmp_path, step=lambda _: None)
    async with Collector() as collector, peers(bench, collector.url) as hops:
        for call in hops.values():
            assert await call(2) > 0

    kinds = [(span.resource["service.name"], span.kind) for span in collector.spans]
    warm_up_and_calls = 2 * 2 * bench.calls(1)
    assert kinds.count(("caller", "client")) == warm_up_and_calls
    assert kinds.count(("callee", "server")) == warm_up_and_calls
