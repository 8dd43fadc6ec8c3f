"""Helpers of the validity tests: the failed checks and void families, and changed results."""

from collections.abc import Callable, Iterator
from typing import Any

from borough_bill.analysis.bill import Bill
from borough_bill.results import Result, Summary, Window


def failed(found: Bill) -> set[str]:
    """The names of the checks that did not pass."""
    return {check.name for check in found.checks if not check.passed}


def void(found: Bill) -> set[str]:
    """The void families. Checks that exactly the lines of valid families are in the bill."""
    assert {line.family for line in found.lines} == set(found.valid) - {"books"}
    return set(found.void)


LOADED = {"latency", "CPU", "memory", "hops", "failures"}


Change = Callable[[Window], dict[str, Any] | None]


def changed(measured: Result, change: Change, **facts: object) -> Result:
    """The result with each window updated as `change` returns, or left out where that is None."""

    def windows() -> Iterator[Window]:
        for window in measured.windows:
            update = change(window)
            if update is not None:
                yield window.model_copy(update=update)

    return measured.model_copy(update={"windows": tuple(windows()), **facts})


def late(window: Window, ms: float) -> Summary:
    """The slip of a window, increased by `ms`."""
    assert window.slip is not None
    return Summary.model_validate(
        {
            name: tuple(point + ms for point in value) if name == "sketch" else value + ms
            for name, value in window.slip
        }
    )
