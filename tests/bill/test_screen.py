"""Does the screen show the current stage of a run and the time that is left?"""

import time
from io import StringIO

import pytest
from rich.console import Console

from borough_bill.report.screen import Screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that tests set: its last entry is the current time."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[-1])
    return now


def shown(
    *,
    terminal: bool,
    stages: tuple[tuple[float, str, float], ...],
    clock: list[float],
    within: float | None = None,
) -> str:
    """The screen of a run of 200 s whose stages are (time of its begin, text, seconds)."""
    output = StringIO()
    with Screen(Console(file=output, force_terminal=terminal, width=100), 200, within) as screen:
        for at, what, seconds in stages:
            clock.append(at)
            screen.begin(what, seconds)
    return output.getvalue()


def test_time_left_is_the_estimate_at_the_pace_so_far(clock: list[float]) -> None:
    """At half the speed, the rest takes twice as long."""
    slow = shown(
        terminal=True, stages=((0, "starting", 50), (100, "block 1 of 9, T0", 2)), clock=clock
    )
    assert "3:20 left" in slow
    assert "at most 5:00 left block 1 of 9, T0" in slow
    quick = shown(terminal=True, stages=((100, "starting", 50), (110, "block 1", 2)), clock=clock)
    assert "2:30 left block 1" in quick


def test_time_left_is_within_the_bound_of_the_run(clock: list[float]) -> None:
    """A slow start does not raise it above the bound."""
    stages = ((0, "starting", 50), (200, "block 1", 2))
    assert "6:40 left block 1" not in shown(terminal=True, stages=stages, clock=clock, within=300)
    clock[:] = [0.0]
    assert "1:40 left block 1" in shown(terminal=True, stages=stages, clock=clock, within=300)


def test_without_a_terminal_there_is_one_line_for_each_block(clock: list[float]) -> None:
    """A line for each window would be hundreds."""
    stages = tuple((0, f"block {b} of 2, T{w}", 2) for b in (1, 2) for w in range(5))
    assert shown(terminal=False, stages=stages, clock=clock).split("\n") == [
        "block 1 of 2 ...",
        "block 2 of 2 ...",
        "",
    ]
