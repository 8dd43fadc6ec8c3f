"""Line D14: requests that failed or were answered wrongly."""

from collections.abc import Iterator

from borough_bill.analysis.lines.line import Line, Topic, compared
from borough_bill.analysis.lines.runs import Runs
from borough_bill.results import Window

SOURCE = "generator: no answer in time, or not the expected one"


def failures(runs: Runs) -> Iterator[Line | None]:
    """The percentage of failed requests, of all that were sent within windows."""
    noun = runs.plan.noun
    lead = f"The share of {noun}s that fail is"
    yield compared(runs, Topic("D14", "failures", f"{noun}s that fail", "%", SOURCE, lead), _failed)


def _failed(window: Window) -> float | None:
    return 100 * (window.failed + window.wrong) / window.offered if window.offered else None
