"""Does the name of a commit say which code was measured?"""

import subprocess
from pathlib import Path

from borough_bill.targets.machine import DIRTY, UNKNOWN, commit


def test_two_trees_never_have_one_name(tmp_path: Path) -> None:
    """Else an interrupted run would go on with other code. A document, or the folder of the run, is
    no code.
    """

    def git(*words: str) -> None:
        subprocess.run(  # noqa: S603  # our own words
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],  # noqa: S607  # the user's git
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip  # as one would type it

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


def test_code_that_nobody_keeps_has_no_name(tmp_path: Path) -> None:
    """An installed package is of no repository."""
    assert commit(tmp_path) == UNKNOWN
