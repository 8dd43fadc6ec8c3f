"""Who runs on which core: everything measured on one, everything that measures on another.

The same CPU for every shape, or the shape of most processes would win by having most cores.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """The core of whatever is measured, and that of the generator and all else; None for any."""

    subjects: int | None
    generator: int | None

    @classmethod
    def here(cls) -> "Placement":
        """The first and the second core this process may use; none where there are not two."""
        if not hasattr(os, "sched_getaffinity"):  # only Linux lets a process choose
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)

    @property
    def sentence(self) -> str:
        """For the report."""
        if self.subjects is None:
            return "nothing was pinned: there was no second core, or no way to choose one"
        return (
            f"all processes of every subject on core {self.subjects}; generator, collector and "
            f"runner on core {self.generator}"
        )

    @contextmanager
    def aside(self) -> Iterator[None]:
        """This process, and what it starts meanwhile, out of the subjects' way."""
        if self.generator is None:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.generator})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def share(self, seconds: float) -> float:
        """How much of the subjects' core a process gets that always wants it: 1 where it is left
        alone, a half beside one that never rests. It takes so many seconds to find out.
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
