"""Without PostgreSQL, does a run list the skipped tests, and does it fail on CI?

A file of its own because it runs pytest anew.
"""

from pathlib import Path

import pytest

from nested import run_pytest

ONE = "tests/stores/test_memory_stores.py::test_customer_without_a_profile_has_none"


def run_without_postgresql(root: Path, empty: Path, *, ci: str) -> tuple[int, str]:
    """The exit status and the output of a run that finds no binaries."""
    done = run_pytest(root, "-q", ONE, POSTGRESQL_BIN=str(empty), CI=ci)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def root() -> Path:
    """The checkout."""
    return Path(__file__).parents[2]


def test_skipped_tests_are_listed(root: Path, tmp_path: Path) -> None:
    """Each by name, and how to run them; the other tests are run and counted."""
    status, output = run_without_postgresql(root, tmp_path, ci="")

    assert status == 0
    assert "2 passed, 1 skipped" in output
    assert "apt-get install postgresql" in output
    assert f"{ONE}[postgresql]" in output


def test_missing_postgresql_fails_on_ci(root: Path, tmp_path: Path) -> None:
    """There no test is skipped."""
    status, output = run_without_postgresql(root, tmp_path, ci="true")

    assert status == 1
    assert "2 passed, 1 error" in output
