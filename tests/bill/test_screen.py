"""Does whoever waits for a long run know what is going on, and how long it will take?"""

import time
from io import StringIO

import pytest
from rich.console import Console

from borough_bill.report.screen import Screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test sets: its last entry is now."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[-1])
    return now


def shown(
    *,
    terminal: bool,
    told: tuple[tuple[float, str, float], ...],
    clock: list[float],
    within: float | None = None,
) -> str:
    """What stands on a screen that was told these things at these times, of 200 planned seconds."""
    said = StringIO()
    with Screen(Console(file=said, force_terminal=terminal, width=100), 200, within) as where:
        for at, what, seconds in told:
            clock.append(at)
            where.tell(what, seconds)
    return said.getvalue()


def test_what_is_left_is_what_was_planned_at_the_pace_so_far(clock: list[float]) -> None:
    """A machine at half the speed takes twice as long for the rest too."""
    slow = shown(
        terminal=True, told=((0, "starting", 50), (100, "block 1 of 9, T0", 2)), clock=clock
    )
    assert "3:20 left" in slow
    assert "at most 5:00 left block 1 of 9, T0" in slow
    quick = shown(terminal=True, told=((100, "starting", 50), (110, "block 1", 2)), clock=clock)
    assert "2:30 left block 1" in quick


def test_a_run_that_is_bounded_promises_no_more_than_its_bound(clock: list[float]) -> None:
    """A start that took four times as long does not make all the rest take so."""
    told = ((0, "starting", 50), (200, "block 1", 2))
    assert "6:40 left block 1" not in shown(terminal=True, told=told, clock=clock, within=300)
    clock[:] = [0.0]
    assert "1:40 left block 1" in shown(terminal=True, told=told, clock=clock, within=300)


def test_a_log_gets_a_line_a_block_and_not_one_a_window(clock: list[float]) -> None:
    """Where there is no terminal nobody wants hundreds of lines."""
    told = tuple((0, f"block {b} of 2, T{w}", 2) for b in (1, 2) for w in range(5))
    assert shown(terminal=False, told=told, clock=clock).split("\n") == [
        "block 1 of 2 ...",
        "block 2 of 2 ...",
        "",
    ]
