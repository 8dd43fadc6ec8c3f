"""The progress of a long run on the screen: the current stage, and the time that is left."""

import math
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Screen:
    """Progress, while the `with` lasts.

    `seconds` is the estimate for the whole run, `within` a bound that holds on a slow machine too.
    It is drawn only when something begins, since other work would disturb a measurement. Without a
    terminal, each stage is printed as a line; the windows of a block are one stage.
    """

    def __init__(self, console: Console, seconds: float, within: float | None = None) -> None:
        self._within = math.inf if within is None else within
        self._console = console
        self._seconds = seconds
        self._began = time.monotonic()
        self._done = self._under_way = 0.0
        self._stage = ""
        self._progress = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.fields[left]:>19}"),
            TextColumn("{task.description}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=seconds, left="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, what: str, seconds: float) -> None:
        """Show that something begins which should take `seconds`; the last one has ended."""
        self._done += self._under_way
        self._under_way = seconds
        minutes, rest = divmod(round(self._left()), 60)
        self._progress.update(
            self._task,
            description=what,
            completed=min(self._done, self._seconds),
            left=f"at most {minutes}:{rest:02} left",
        )
        self._progress.refresh()
        stage = what.partition(",")[0]
        if not self._console.is_terminal and stage != self._stage:
            self._console.print(f"{stage} ...", highlight=False)
        self._stage = stage

    def _left(self) -> float:
        """The seconds that are left: the rest of the estimate, at the pace so far."""
        passed = time.monotonic() - self._began
        pace = passed / self._done if self._done else 1.0
        rest = max(self._seconds - self._done, self._under_way) * max(pace, 1.0)
        return max(min(rest, self._within - passed), self._under_way)
