"""Does the status of every command say whether what was asked for can be believed?"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from borough_bill.analysis.bill import bill
from borough_bill.results import Result, write
from borough_bill.statuses import FAILED, LOST, VOID, status

LATE: Mapping[str, Any] = {"freeze": None}


def unaudited(measured: Result) -> Mapping[str, Any]:
    """As if the auditor had not been asked about one of the shapes."""
    return {"audits": {shape: () for shape in measured.audits if shape != "apis"}}


def complaining(measured: Result) -> Mapping[str, Any]:
    """As if a shape had lost an order."""
    return {"audits": {**measured.audits, "apis": ("lost-money: order 7",)}}


def reported(result: Result, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The real command, on a stored result."""
    write(result, folder / "result.json")
    return subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "report", str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_demonstration_asks_for_what_a_busy_machine_can_measure_too(
    measured: Result, tmp_path: Path
) -> None:
    """Late is 0, and 3 where everything is asked for; a book that was not read is 3; a lost order
    is 1, whatever else is void.
    """
    late = measured.model_copy(update=LATE)

    assert reported(measured, tmp_path).returncode == 0
    assert reported(measured, tmp_path, "--strict").returncode == 0
    lenient = reported(late, tmp_path)
    assert lenient.returncode == 0
    assert "VOID: latency (freeze)." in " ".join(lenient.stdout.split())
    assert json.loads((tmp_path / "bill.json").read_text())["families"][0] == {
        "family": "latency", "measured": True, "failed": ["freeze"]
    }  # fmt: skip  # one glance
    assert reported(late, tmp_path, "--strict").returncode == VOID
    unread = measured.model_copy(update=unaudited(measured))
    assert reported(unread, tmp_path).returncode == VOID
    lost = measured.model_copy(update={**LATE, **complaining(measured)})
    assert reported(lost, tmp_path, "--strict").returncode == LOST


def test_a_file_that_is_no_result_is_no_bill(tmp_path: Path) -> None:
    """Which is neither valid nor void."""
    (tmp_path / "result.json").write_text("{}")
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-m", "borough_bill", "report", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip  # one glance

    assert done.returncode == FAILED
    assert "is not a result of borough-bill" in done.stderr


@pytest.mark.parametrize("kind", ["full", "compare"])
def test_a_measurement_in_earnest_asks_for_all_that_it_measures(
    kind: str, measured: Result
) -> None:
    """So that it can stand in CI without an option."""
    plan = measured.plan.model_copy(update={"ladder": False, "baseline": None})
    windows = tuple(w for w in measured.windows if not w.rung and w.subject != "baseline")
    earnest = measured.model_copy(update={"kind": kind, "plan": plan, "windows": windows})
    late = earnest.model_copy(
        update={
            "windows": tuple(
                w.model_copy(update={"others_s": 0.9 * w.seconds}) for w in earnest.windows
            )
        }
    )

    assert status(bill(earnest)) == 0
    assert status(bill(late)) == VOID


def test_what_strangers_do_not_let_be_seen_is_not_asked_for(measured: Result) -> None:
    """Of two addresses and nothing else there are latency and failures, strictly too."""
    plan = measured.plan.model_copy(update={"ladder": False, "baseline": None})
    hidden: dict[str, Any] = {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}, "hops": {}}
    windows = tuple(
        w.model_copy(update=hidden)
        for w in measured.windows
        if w.experiment == "shapes" and w.subject != "baseline"
    )
    strangers = measured.model_copy(
        update={"kind": "compare", "plan": plan, "windows": windows, "audits": {}}
    )

    assert bill(strangers).asked == ("latency", "failures")
    assert status(bill(strangers), strict=True) == 0


def test_what_a_machine_cannot_measure_is_asked_for_only_strictly(measured: Result) -> None:
    """A demonstration elsewhere than on Linux is no failure of whoever tries it."""
    plan = measured.plan.model_copy(update={"ladder": False})
    hidden: dict[str, Any] = {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}}
    elsewhere = measured.model_copy(
        update={
            "plan": plan,
            "machine": measured.machine.model_copy(update={"kernel": "Darwin 24.1"}),
            "windows": tuple(
                w.model_copy(update=hidden) for w in measured.windows if w.experiment == "shapes"
            ),
        }
    )

    assert status(bill(elsewhere)) == 0
    assert status(bill(elsewhere), strict=True) == VOID
