"""Does Ctrl-C cost a run no more than a block, and does the run still end in its bill?

Real processes and real time: only `make soak` asks for it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.measured import BASELINE
from borough_bill.experiments.scale import QUICK
from borough_bill.results import RUNGS, Plan, read
from borough_bill.statuses import VOID
from borough_bill.targets.machine import commit

ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))
INTERRUPTED = 130
STARTED_WITHIN = 300
SHAPES = QUICK.shapes
SEED = 5
PLAN = Plan(
    blocks=QUICK.blocks, seconds=QUICK.seconds, warm_up_s=QUICK.warm_up_s, rate=20,
    workload="orders", reference=QUICK.reference, again=QUICK.again, shapes=SHAPES,
    baseline=BASELINE, top=SHAPES[-1],
)  # fmt: skip  # a plan at a glance


def begun(path: Path) -> Folder:
    """The folder of a run that was begun, and has measured nothing yet."""
    folder, now = Folder(path), datetime.now(UTC)
    folder.clear()
    folder.begin(Intent(kind="preliminary", created=now, seed=SEED, commit=commit(), plan=PLAN))
    return folder


def demo(folder: Folder) -> subprocess.Popen[str]:
    """`borough-bill demo` in little, in a process group of its own, as a shell would start it."""
    return subprocess.Popen(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "demo", "--quick", "--folder", folder.path],
        env={name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509  # one system call, and nothing else
    )


def hear_ctrl_c() -> None:
    """A process started in the background may ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(ROUNDS < 8, reason="make soak measures in earnest, and so does make demo")
def test_interrupted_demo_continues_to_its_bill(tmp_path: Path) -> None:
    """Ctrl-C reaches every process, none says more than one sentence, and the first block stays.
    The same command goes on under the plan it finds, and comes to its bill.
    """
    folder = begun(tmp_path / "demo")
    windows = folder.path / "windows"
    first = demo(folder)
    until = time.monotonic() + STARTED_WITHIN
    while not windows.is_dir() or not list(windows.glob("001-*.json")):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGINT)
    _, said = first.communicate()
    assert first.returncode == INTERRUPTED, said
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert folder.unfinished
    kept = {path.name: path.stat().st_mtime_ns for path in windows.glob("000-T*.json")}

    second = demo(folder)
    printed, said = second.communicate()
    assert second.returncode == VOID, said  # two blocks are too few for what is asked for
    assert {n: (windows / n).stat().st_mtime_ns for n in kept} == kept
    assert 0 < printed.index("nothing lost") < printed.index((folder.path / "report.html").as_uri())
    whole(folder)


def whole(folder: Folder) -> None:
    """Every shape and rung there is was measured under the plan, and the auditor asked."""
    result = read(folder.path / "result.json")
    assert (result.seed, result.plan) == (SEED, PLAN)
    assert result.audits.keys() >= {QUICK.reference, QUICK.again, *SHAPES}
    assert set(result.audits.values()) == {()}
    under_load = [window for window in result.windows if window.experiment != "idle"]
    assert {(window.block, window.rung or window.subject) for window in under_load} == {
        (block, label) for block in range(PLAN.blocks) for label in (*PLAN.subjects, *RUNGS)
    }
    assert all(window.served == window.offered > 0 for window in under_load)
    assert {hop.rung for hop in result.hop_ladder} == set(RUNGS)
    assert result.critical_path is not None
    hops = {edge for window in under_load for edge in window.hops if window.rung is None}
    assert hops == {"payments.charge"}
    checks = json.loads((folder.path / "bill.json").read_text())["checks"]
    assert {check["name"] for check in checks if check["passed"]} >= {"ladder", "served"}
