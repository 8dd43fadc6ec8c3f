"""The version and commit of the code that made a result.

A file of its own because it alone asks git.
"""

import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

CODE = Path(__file__).parents[1]
"""The folder that a result depends on."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """A version of borough-operator and the commit of its code: `unknown` outside a repository,
    with `-dirty` where the code differs from the commit.
    """

    version: str
    commit: str


def here(code: Path = CODE) -> Origin:
    """The origin of the code in this folder."""
    name = _git(code, "rev-parse", "--short=12", "HEAD")
    dirty = "-dirty" if _git(code, "status", "--porcelain", "--", ".") else ""
    return Origin(metadata.version("borough-operator"), f"{name}{dirty}" if name else UNKNOWN)


def _git(code: Path, *arguments: str) -> str | None:
    """The output of git, None where it is empty or git fails."""
    try:
        done = subprocess.run(  # noqa: S603  # constant arguments
            ["git", *arguments],  # noqa: S607  # the user's git
            cwd=code, capture_output=True, text=True, check=False,
        )  # fmt: skip  # the command on one line
    except OSError:
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None
