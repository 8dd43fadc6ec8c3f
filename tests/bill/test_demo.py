"""Does a real run come to a bill, and does an interrupted one go on?"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from borough_bill.experiments.folder import PLAN, Folder
from borough_bill.results import RUNGS, read

INTERRUPTED = 130
STARTED_WITHIN = 120


def demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    """`borough-bill demo` as a user starts it, in little."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BOROUGH_")}
    return subprocess.Popen(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "demo", "--quick", "--folder", folder, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_demonstration_that_was_interrupted_goes_on_to_its_bill(tmp_path: Path) -> None:
    """Ctrl-C says how to go on; the same command then measures every shape and rung there is, asks
    the auditor, prints the checks first, and writes the page.
    """
    where = tmp_path / "demo"
    first = demo(where, "--seed", "5")
    until = time.monotonic() + STARTED_WITHIN
    while not (where / PLAN).exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate()
    assert first.returncode == INTERRUPTED, said
    assert "the same command goes on" in said
    assert Folder(where).unfinished

    second = demo(where)
    printed, said = second.communicate()
    assert second.returncode == 0, said
    assert "closure, CPU" in printed
    assert printed.index("nothing lost") < printed.index((where / "report.html").as_uri())
    result = read(where / "result.json")
    assert (result.seed, result.audits.keys() >= {"monolith", "extract-payments"}) == (5, True)
    assert set(result.audits.values()) == {()}
    measured = {(w.block, w.rung or w.subject) for w in result.windows if w.experiment != "idle"}
    assert measured == {
        (block, label) for block in range(2) for label in (*result.plan.subjects, *RUNGS)
    }
    assert {hop.rung for hop in result.hop_ladder} == set(RUNGS)
    assert all(window.served == window.offered for window in result.windows)
    bill = json.loads((where / "bill.json").read_text())
    assert {check["name"] for check in bill["checks"] if check["passed"]} >= {"ladder", "served"}
