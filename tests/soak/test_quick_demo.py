"""Does a real run, that was begun and interrupted, come to a bill?"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.towns import AGAIN, BASELINE, REFERENCE
from borough_bill.machine import commit
from borough_bill.results import RUNGS, Plan, read
from borough_bill.scale import QUICK

SHAPES = QUICK.shapes
ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))


@pytest.mark.skipif(ROUNDS < 8, reason="make soak measures in earnest, and so does make demo")
def test_a_run_that_was_begun_goes_on_to_its_bill(tmp_path: Path) -> None:
    """It measures every shape and rung there is under the plan it finds, asks the auditor, prints
    the checks first, and writes the page.
    """
    folder = Folder(tmp_path / "demo")
    plan = Plan(
        blocks=QUICK.blocks, seconds=QUICK.seconds, warm_up_s=QUICK.warm_up_s, rate=20,
        workload="orders", reference=REFERENCE, again=AGAIN, shapes=SHAPES, baseline=BASELINE,
        top=SHAPES[-1],
    )  # fmt: skip  # a plan at a glance
    folder.clear()
    folder.begin(
        Intent(kind="preliminary", created=datetime.now(UTC), seed=5, commit=commit(), plan=plan)
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "demo", "--quick", "--folder", folder.path],
        env={name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (folder.path / "report.html").as_uri()
    assert 0 < done.stdout.index("nothing lost") < done.stdout.index(page)

    result = read(folder.path / "result.json")
    assert (result.seed, result.plan) == (5, plan)
    assert result.audits.keys() >= {REFERENCE, AGAIN, *SHAPES}
    assert set(result.audits.values()) == {()}
    under_load = [window for window in result.windows if window.experiment != "idle"]
    assert {(window.block, window.rung or window.subject) for window in under_load} == {
        (block, label) for block in range(plan.blocks) for label in (*plan.subjects, *RUNGS)
    }
    assert all(window.served == window.offered > 0 for window in under_load)
    assert {hop.rung for hop in result.hop_ladder} == set(RUNGS)
    assert result.critical_path is not None
    hops = {edge for window in under_load for edge in window.hops if window.rung is None}
    assert hops == {"payments.charge"}
    checks = json.loads((folder.path / "bill.json").read_text())["checks"]
    assert {check["name"] for check in checks if check["passed"]} >= {"ladder", "served"}
