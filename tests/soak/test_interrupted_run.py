"""Does Ctrl-C cost whoever presses it nothing but the block it falls into?

Real processes and real time: only `make soak` asks for it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from borough_bill.experiments.folder import Folder
from borough_bill.results import read

ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))
INTERRUPTED = 130
STARTED_WITHIN = 300


def demo(folder: Path) -> subprocess.Popen[str]:
    """`borough-bill demo` in little, in a process group of its own, as a shell would start it."""
    return subprocess.Popen(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "demo", "--quick", "--folder", folder],
        env={name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


@pytest.mark.skipif(ROUNDS < 8, reason="make soak interrupts a run")
def test_an_interrupted_demonstration_says_how_to_go_on_and_does(tmp_path: Path) -> None:
    """Ctrl-C reaches every process, none says more than one sentence, and the first block stays."""
    where, windows = tmp_path / "demo", tmp_path / "demo" / "windows"
    first = demo(where)
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
    assert Folder(where).unfinished
    kept = {path.name: path.stat().st_mtime_ns for path in windows.glob("000-T*.json")}

    second = demo(where)
    _, said = second.communicate()
    assert second.returncode == 0, said
    assert {n: (windows / n).stat().st_mtime_ns for n in kept} == kept
    assert read(where / "result.json").plan.blocks == 2
