"""The cores of a run: everything measured is pinned to one, the rest to another.

Every shape thus has the same CPU; otherwise the shape with most processes would have most cores.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Placement:
    """The core of the subjects, and that of the generator and the runner; None for any core."""

    subjects: int | None
    generator: int | None

    @classmethod
    def here(cls) -> Self:
        """The first and the second core that this process may use; None if there are not two."""
        if not hasattr(os, "sched_getaffinity"):  # only Linux lets a process choose
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)

    @property
    def sentence(self) -> str:
        """A sentence for the report."""
        if self.subjects is None:
            return "nothing was pinned: there was no second core, or no way to choose one"
        return (
            f"all processes of every subject on core {self.subjects}; generator, collector and "
            f"runner on core {self.generator}"
        )

    @contextmanager
    def runner_pinned(self) -> Iterator[None]:
        """Pin this process, and what it starts meanwhile, to the generator's core."""
        if self.generator is None:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.generator})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def core_share(self, seconds: float) -> float:
        """The share of the subjects' core that a busy process gets, measured for some seconds: 1 on
        an idle machine, a half beside another busy process.
        """
        before = None if self.subjects is None else os.sched_getaffinity(0)
        try:
            if self.subjects is not None:
                os.sched_setaffinity(0, {self.subjects})
            began, used = time.monotonic(), time.thread_time()
            while (passed := time.monotonic() - began) < seconds:
                pass
            return (time.thread_time() - used) / passed
        finally:
            if before is not None:
                os.sched_setaffinity(0, before)
