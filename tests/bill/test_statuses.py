"""Is the exit status 0 where every required family is valid?"""

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
    """The audits without one of the shapes."""
    return {"audits": {shape: () for shape in measured.audits if shape != "apis"}}


def violated(measured: Result) -> Mapping[str, Any]:
    """The audits with a lost order in one shape."""
    return {"audits": {**measured.audits, "apis": ("lost-money: order 7",)}}


def reported(result: Result, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command `report`, run on a stored result."""
    write(result, folder / "result.json")
    return subprocess.run(  # noqa: S603  # our own interpreter and arguments
        [sys.executable, "-m", "borough_bill", "report", str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_demonstration_requires_noise_tolerant_families_only(
    measured: Result, tmp_path: Path
) -> None:
    """A late generator is 0, and 3 with --strict; a missing audit is 3; a lost order is 1, whatever
    else is void.
    """
    late = measured.model_copy(update=LATE)

    assert reported(measured, tmp_path).returncode == 0
    assert reported(measured, tmp_path, "--strict").returncode == 0
    lenient = reported(late, tmp_path)
    assert lenient.returncode == 0
    assert "VOID: latency (freeze)." in " ".join(lenient.stdout.split())
    assert json.loads((tmp_path / "bill.json").read_text())["families"][0] == {
        "family": "latency", "measured": True, "failed": ["freeze"]
    }  # fmt: skip  # one object
    assert reported(late, tmp_path, "--strict").returncode == VOID
    missing = measured.model_copy(update=unaudited(measured))
    assert reported(missing, tmp_path).returncode == VOID
    lost = measured.model_copy(update={**LATE, **violated(measured)})
    assert reported(lost, tmp_path, "--strict").returncode == LOST


def test_file_that_is_no_result_is_status_2(tmp_path: Path) -> None:
    """There is no bill, valid or void."""
    (tmp_path / "result.json").write_text("{}")
    done = subprocess.run(  # noqa: S603  # our own interpreter and arguments
        [sys.executable, "-m", "borough_bill", "report", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip  # one object

    assert done.returncode == FAILED
    assert "is not a result of borough-bill" in done.stderr


@pytest.mark.parametrize("kind", ["full", "compare"])
def test_run_and_comparison_require_all_measured_families(kind: str, measured: Result) -> None:
    """So that they can be used in CI without an option."""
    plan = measured.plan.model_copy(update={"ladder": False, "baseline": None})
    windows = tuple(w for w in measured.windows if not w.rung and w.subject != "baseline")
    full = measured.model_copy(update={"kind": kind, "plan": plan, "windows": windows})
    late = full.model_copy(
        update={
            "windows": tuple(
                w.model_copy(update={"others_s": 0.9 * w.seconds}) for w in full.windows
            )
        }
    )

    assert status(bill(full)) == 0
    assert status(bill(late)) == VOID


def test_comparison_never_requires_families_without_figures(measured: Result) -> None:
    """With two addresses only, latency and failures are required, with --strict too."""
    plan = measured.plan.model_copy(update={"ladder": False, "baseline": None})
    hidden: dict[str, Any] = {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}, "hops": {}}
    windows = tuple(
        w.model_copy(update=hidden)
        for w in measured.windows
        if w.experiment == "shapes" and w.subject != "baseline"
    )
    compared = measured.model_copy(
        update={"kind": "compare", "plan": plan, "windows": windows, "audits": {}}
    )

    assert bill(compared).required == ("latency", "failures")
    assert status(bill(compared), strict=True) == 0


def test_unmeasured_families_are_required_with_strict_only(measured: Result) -> None:
    """A demonstration on another system than Linux passes."""
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
