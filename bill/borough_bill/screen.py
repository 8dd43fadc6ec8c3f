"""A long run on the screen: what is being done, and how much time is left."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

TIMES_A_SECOND = 2
"""How often it is drawn: seldom, for whatever runs beside a measurement disturbs it."""


class Screen:
    """Drawn while the context lasts. `seconds` is what the whole run should take.

    Where there is no terminal each thing that begins is a line of its own, windows apart: they come
    by the hundred.
    """

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._left = seconds
        self._under_way = 0.0
        self._progress = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.fields[left]:>12}"),
            TextColumn("{task.description}"),
            console=console,
            refresh_per_second=TIMES_A_SECOND,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=seconds, left="")
        self._stage = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def tell(self, what: str, seconds: float) -> None:
        """Something begins that should take so long; whatever was under way is over."""
        self._left = max(self._left - self._under_way, seconds)
        self._progress.update(
            self._task,
            description=what,
            advance=self._under_way,
            left=f"{self._left // 60:.0f}:{self._left % 60:02.0f} left",
        )
        self._under_way = seconds
        stage = what.partition(",")[0]
        if not self._console.is_terminal and stage != self._stage:
            self._console.print(f"{stage} ...", highlight=False)
        self._stage = stage
