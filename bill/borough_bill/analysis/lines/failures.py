"""D14: availability as it was seen: requests that failed, or were answered wrongly."""

from collections.abc import Iterator

from borough_bill.analysis.lines.line import Line, Topic, compared
from borough_bill.analysis.lines.runs import Runs
from borough_bill.results import Window

SOURCE = "generator: no answer in time, or not the expected one"


def failures(runs: Runs) -> Iterator[Line | None]:
    """Of all requests that were sent within windows."""
    noun = runs.plan.noun
    lead = f"Of all {noun}s there fail"
    yield compared(runs, Topic("D14", "failures", f"{noun}s that fail", "%", SOURCE, lead), _failed)


def _failed(window: Window) -> float | None:
    return 100 * (window.failed + window.wrong) / window.offered if window.offered else None
