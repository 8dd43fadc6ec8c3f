"""The folder of a run: its plan, and every window as soon as it is measured.

An interrupted run is resumed from its folder. Complete blocks are kept; an incomplete one is
measured again, because what is compared must have been measured together.
"""

import random
import re
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ValidationError

from borough_bill.results import BrokenResult, Frozen, Plan, Window, write
from borough_bill.targets.machine import commit

PLAN, RESULT, RECORDINGS = "plan.json", "result.json", "recordings"
DEPLOYMENTS = "deployments"
"""Stores and logs of the shapes, until the result is written: a resumed run uses the same stores,
so that the auditor reads every order of the run.
"""
MADE = (
    PLAN, RESULT, "freeze.json", "hops.json", "served.json", "books.json", "bill.json", "bill.md",
    "report.html",
)  # fmt: skip  # a list
"""Files that are removed before a new run."""
MARK = ".borough-bill"
"""The file that marks the folder of a run, whose files may be removed."""
SEED_BELOW = 100_000
Kind = Literal["preliminary", "full", "compare"]
F = TypeVar("F", bound=BaseModel)


class WrongFolder(Exception):
    """A folder in which this run cannot be begun or resumed; the message names it and says why."""


class Intent(Frozen):
    """What a run measures, fixed before its first window."""

    kind: Kind
    created: datetime
    seed: int
    commit: str
    plan: Plan

    @classmethod
    def now(cls, kind: Kind, plan: Plan, seed: int | None) -> Self:
        """A run of this commit that begins now; of a random seed where none is given."""
        seed = random.SystemRandom().randrange(SEED_BELOW) if seed is None else seed
        return cls(kind=kind, created=datetime.now(UTC), seed=seed, commit=commit(), plan=plan)


class Folder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.deployments = path / DEPLOYMENTS
        self._windows, self._recordings = path / "windows", path / RECORDINGS

    @property
    def unfinished(self) -> bool:
        """Whether the folder has a plan and no result."""
        return (self.path / PLAN).exists() and not (self.path / RESULT).exists()

    def clear(self) -> None:
        """Remove the files of an earlier run, and nothing else.

        Raises WrongFolder if the folder has files and was not made by a run.
        """
        marked = (self.path / MARK).exists()
        if not marked and self.path.exists() and any(self.path.iterdir()):
            raise WrongFolder(f"{self.path} is not empty and holds no run: name another folder")
        for folder in (self._windows, self._recordings, self.deployments):
            shutil.rmtree(folder, ignore_errors=True)
        for name in MADE:
            (self.path / name).unlink(missing_ok=True)
        for folder in (self._windows, self._recordings):
            folder.mkdir(parents=True)
        (self.path / MARK).touch()

    def begin(self, intent: Intent) -> None:
        """Write the plan: from here on the run can be resumed."""
        write(intent, self.path / PLAN)

    def intent(self) -> Intent:
        """The plan of the run. Raises BrokenResult."""
        return _read(self.path / PLAN, Intent)

    def keep_whole_blocks(self, labels: Collection[str]) -> int:
        """Remove windows of blocks that lack one of these labels; the number of blocks kept."""
        found: dict[int, set[str]] = {}
        for window in self.windows():
            found.setdefault(window.block, set()).add(label_of(window))
        whole = {block for block, there in found.items() if there >= set(labels)}
        for path in self._windows.iterdir():
            block = re.match(r"(\d+)-", path.name)
            if path.suffix != ".json" or block is None or int(block[1]) not in whole:
                path.unlink()
        return len(whole)

    def has(self, block: int, label: str) -> bool:
        """Whether a window was measured."""
        return self._file(block, label).exists()

    def keep(self, window: Window) -> None:
        """Write a window, atomically."""
        write(window, self._file(window.block, label_of(window)))

    def windows(self) -> tuple[Window, ...]:
        """All measured windows, in order. Raises BrokenResult, naming the file."""
        return tuple(_read(path, Window) for path in sorted(self._windows.glob("*.json")))

    def recording(self, block: int, label: str) -> Path:
        """The file of a window's requests."""
        return self._recordings / f"{block:03}-{label}.rec"

    def _file(self, block: int, label: str) -> Path:
        return self._windows / f"{block:03}-{label}.json"

    def find(self, name: str, kind: type[F]) -> F | None:
        """The stored result of a step; None if it has not been done. Raises BrokenResult."""
        path = self.path / f"{name}.json"
        return _read(path, kind) if path.exists() else None

    def put(self, name: str, found: F) -> F:
        """Store the result of a step, and return it."""
        write(found, self.path / f"{name}.json")
        return found


def label_of(window: Window) -> str:
    """The label of a window, unique in its block."""
    if window.experiment == "idle":
        return f"idle-{window.subject}"
    return window.rung or window.subject


def _read(path: Path, kind: type[F]) -> F:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise BrokenResult(f"{path}: is no {kind.__name__.lower()}: {why}") from None
