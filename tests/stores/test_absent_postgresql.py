"""Where PostgreSQL is absent, does a run say what it left out, and does CI refuse to?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ONE = "tests/stores/test_profiles.py::test_a_customer_without_a_profile_has_none"


def run_without_postgresql(root: Path, empty: Path, *, ci: str) -> tuple[int, str]:
    """The exit status and the words of a run that finds no binaries."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin"),
            *("-p", "no:cacheprovider", ONE),
        ],
        cwd=root,
        env={
            **os.environ,
            "POSTGRESQL_BIN": str(empty),
            "CI": ci,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # most of the time of a run so short
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def root() -> Path:
    """The checkout."""
    return Path(__file__).parents[2]


def test_a_user_is_told_which_tests_were_left_out(root: Path, tmp_path: Path) -> None:
    """Each by name, and how to get them; the rest is run and counts."""
    status, said = run_without_postgresql(root, tmp_path, ci="")

    assert status == 0
    assert "2 passed, 1 skipped" in said
    assert "apt-get install postgresql" in said
    assert f"{ONE}[postgresql]" in said


def test_ci_leaves_out_nothing(root: Path, tmp_path: Path) -> None:
    """There, a missing database is a failure."""
    status, said = run_without_postgresql(root, tmp_path, ci="true")

    assert status == 1
    assert "2 passed, 1 error" in said
