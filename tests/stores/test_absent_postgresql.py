"""Where PostgreSQL is absent, does a run say what it left out, and does CI refuse to?

A file of its own because it runs pytest anew.
"""

from pathlib import Path

import pytest

from nested import run_pytest

ONE = "tests/stores/test_memory_stores.py::test_a_customer_without_a_profile_has_none"


def run_without_postgresql(root: Path, empty: Path, *, ci: str) -> tuple[int, str]:
    """The exit status and the words of a run that finds no binaries."""
    done = run_pytest(root, "-q", ONE, POSTGRESQL_BIN=str(empty), CI=ci)
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
