"""The folder of a run: what was intended, and every window as soon as it is measured.

A run that was interrupted goes on from its folder. Blocks that are whole are kept; one that was cut
through is measured again as a whole, because what is compared must have been measured together.
"""

import re
import shutil
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from borough_bill.results import BrokenResult, Plan, Window, write

PLAN, RESULT, RECORDINGS = "plan.json", "result.json", "recordings"
TOWNS = "towns"
"""Stores and logs of the deployments, until the result is there: whoever goes on, goes on with the
same books, so that the auditor sees every order of the run.
"""
MADE = (
    PLAN, RESULT, "freeze.json", "hops.json", "served.json", "books.json", "bill.json", "bill.md",
    "report.html",
)  # fmt: skip  # a list to be read, not a column
"""Files that a new run must not find."""
MARK = ".borough-bill"
"""The file by which a folder of ours is told from anybody else's."""
F = TypeVar("F", bound=BaseModel)


class WrongFolder(Exception):
    """A folder that this run cannot go on in; the message names it and says why."""


class Intent(BaseModel):
    """What a run is going to measure, fixed before its first window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["preliminary", "full", "compare"]
    created: datetime
    seed: int
    commit: str
    plan: Plan


class Folder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def unfinished(self) -> bool:
        """Whether a run began here and did not come to its result."""
        return (self.path / PLAN).exists() and not (self.path / RESULT).exists()

    def clear(self) -> None:
        """Make room for a new run; what an earlier one measured is removed, and nothing else.

        Raises WrongFolder where something lies here that no run made.
        """
        marked = (self.path / MARK).exists()
        if not marked and self.path.exists() and any(self.path.iterdir()):
            raise WrongFolder(f"{self.path} is not empty and holds no run: name another folder")
        for folder in (self._windows, self.path / RECORDINGS, self.towns):
            shutil.rmtree(folder, ignore_errors=True)
        for name in MADE:
            (self.path / name).unlink(missing_ok=True)
        for folder in (self._windows, self.path / RECORDINGS):
            folder.mkdir(parents=True)
        (self.path / MARK).touch()

    def begin(self, intent: Intent) -> None:
        """Write down what is going to be measured: from here on the run can be gone on with."""
        write(intent, self.path / PLAN)

    def intent(self) -> Intent:
        """What the run here is measuring. Raises BrokenResult."""
        return _read(self.path / PLAN, Intent)

    def keep_whole_blocks(self, labels: Collection[str]) -> int:
        """Remove windows of blocks that lack one of these labels; answers how many blocks stay."""
        found: dict[int, set[str]] = {}
        for window in self.windows():
            found.setdefault(window.block, set()).add(label_of(window))
        whole = {block for block, there in found.items() if there >= set(labels)}
        for path in self._windows.iterdir():
            if path.suffix != ".json" or _block_of(path) not in whole:
                path.unlink()
        return len(whole)

    def has(self, block: int, label: str) -> bool:
        """Whether a window is there."""
        return self._window(block, label).exists()

    def keep(self, window: Window) -> None:
        """Write a window, whole or not at all."""
        write(window, self._window(window.block, label_of(window)))

    def windows(self) -> tuple[Window, ...]:
        """Every window that is there, in order. Raises BrokenResult, naming the file."""
        return tuple(_read(path, Window) for path in sorted(self._windows.glob("*.json")))

    def recording(self, block: int, label: str) -> Path:
        """Where the raw record of a window goes."""
        return self.path / RECORDINGS / f"{_stem(block, label)}.rec"

    def find(self, name: str, kind: type[F]) -> F | None:
        """What an earlier step found; None where it was not taken. Raises BrokenResult."""
        path = self.path / f"{name}.json"
        return _read(path, kind) if path.exists() else None

    def put(self, name: str, found: F) -> F:
        """Keep what a step of the run found."""
        write(found, self.path / f"{name}.json")
        return found

    @property
    def towns(self) -> Path:
        """Where the deployments keep stores and logs while the run lasts."""
        return self.path / TOWNS

    @property
    def _windows(self) -> Path:
        return self.path / "windows"

    def _window(self, block: int, label: str) -> Path:
        return self._windows / f"{_stem(block, label)}.json"


def label_of(window: Window) -> str:
    """What tells a window from the others of its block."""
    if window.experiment == "idle":
        return f"idle-{window.subject}"
    return window.rung or window.subject


def _stem(block: int, label: str) -> str:
    return f"{block:03}-{label}"


def _block_of(path: Path) -> int | None:
    found = re.match(r"(\d+)-", path.name)
    return int(found[1]) if found else None


def _read(path: Path, kind: type[F]) -> F:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise BrokenResult(f"{path}: is no {kind.__name__.lower()}: {why}") from None
