"""Is the tier of a test the folder it stands in, and does each tier need what it may?"""

import re
import tomllib
from pathlib import Path

import pytest

import programs
from nested import run_pytest

CHOSEN = re.compile(r"\bpytest (tests/\w+)")
TEST = 'def test_it() -> None:\n    """It holds."""\n    assert True\n'


@pytest.fixture(scope="module")
def others(root: Path) -> set[str]:
    """The folders that `make test` leaves to other verbs."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["pytest"]
    return {name for name in settings["norecursedirs"] if (root / "tests" / name).is_dir()}


def collected(folder: Path, *arguments: str) -> set[str]:
    """The files of tests that pytest finds, run as the Makefile runs it."""
    done = run_pytest(folder, "--collect-only", "-q", *arguments)
    assert done.returncode == 0, done.stdout
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


def test_default_run_takes_every_folder_but_those_of_other_verbs(
    root: Path, others: set[str], tmp_path: Path
) -> None:
    """A new folder belongs to `make test`; pytest itself is asked, in a tree with our settings."""
    (tmp_path / "pyproject.toml").write_text((root / "pyproject.toml").read_text())
    files = {f"tests/{name}/test_one.py" for name in (*others, "unit", "brand_new")}
    for file in files:
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_text(TEST)

    assert collected(tmp_path) == {file for file in files if file.split("/")[1] not in others}
    asked_for = sorted(f"tests/{name}" for name in others)
    assert collected(tmp_path, *asked_for) == {f"{name}/test_one.py" for name in asked_for}


def test_each_folder_left_out_of_the_default_run_has_a_verb(root: Path, others: set[str]) -> None:
    """What no verb runs would never fail."""
    assert others
    chosen = set(CHOSEN.findall((root / "Makefile").read_text()))

    assert {f"tests/{name}" for name in others} <= chosen


def test_foreign_program_is_refused_outside_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of `make test` that asks for a server of others fails, wherever it is installed."""
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/unit/test_one.py::test_it (call)")
    with pytest.raises(pytest.fail.Exception, match="sh is no program of `make test`"):
        programs.program("sh", "no shell")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/field/test_one.py::test_it (setup)")
    assert programs.program("sh", "no shell").endswith("/sh")


@pytest.mark.parametrize(
    ("ci", "end"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_absent_program_fails_in_ci_and_is_said_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, end: type[BaseException]
) -> None:
    """The sentence says how to install it."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/field/test_one.py::test_it (setup)")
    with pytest.raises(end, match="apt-get install nonesuch"):
        programs.program("nonesuch", "nonesuch is not installed: apt-get install nonesuch")
