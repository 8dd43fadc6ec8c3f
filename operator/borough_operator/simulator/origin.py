"""Which code a result is a result of: whoever doubts what is committed looks there.

A file of its own because it alone asks git.
"""

import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

CODE = Path(__file__).parents[1]
"""All that a result depends on."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """A version of borough-operator, and the commit of its code: `unknown` outside a repository,
    with `-dirty` behind it where the code differs from the commit.
    """

    version: str
    commit: str


def here() -> Origin:
    """Of the code that runs."""
    name = _git("rev-parse", "--short=12", "HEAD")
    dirty = "-dirty" if _git("status", "--porcelain", "--", ".") else ""
    return Origin(metadata.version("borough-operator"), f"{name}{dirty}" if name else UNKNOWN)


def _git(*words: str) -> str | None:
    """What git says, None where it has nothing to say or is not there."""
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            ["git", *words],  # noqa: S607  # whichever git the user has
            cwd=CODE, capture_output=True, text=True, check=False,
        )  # fmt: skip  # the command on one line, as one would type it
    except OSError:
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None
