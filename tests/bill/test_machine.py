"""Does the name of the commit identify the code that was measured?"""

import subprocess
from pathlib import Path

from borough_bill.targets.machine import DIRTY, UNKNOWN, commit


def test_changed_code_has_another_commit_name(tmp_path: Path) -> None:
    """Otherwise a run would be resumed with other code. A changed document is no change of code."""

    def git(*words: str) -> None:
        subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],  # noqa: S607  # the user's git
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip  # as it is typed

    code = tmp_path / "bill"
    code.mkdir()
    (code / "run.py").write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")

    names = [commit(code)]
    for path in (code / "run.py", code / "new.py"):
        for text in ("2", "3"):
            path.write_text(text)
            names.append(commit(code))
    (tmp_path / "README.md").write_text("no code")

    assert len(set(names)) == 5
    assert [DIRTY in name for name in names] == [False, True, True, True, True]
    assert all(name.startswith(names[0]) for name in names)
    assert commit(code) == names[-1]


def test_code_outside_a_repository_has_an_unknown_commit(tmp_path: Path) -> None:
    """As of an installed package."""
    assert commit(tmp_path) == UNKNOWN
