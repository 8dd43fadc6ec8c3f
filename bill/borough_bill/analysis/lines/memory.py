"""Line D6: memory of all processes of a shape, after a window of load."""

from collections.abc import Iterator, Mapping

from borough_bill.analysis.lines.line import Line, Topic, compared
from borough_bill.analysis.lines.runs import Runs
from borough_bill.results import Window

SOURCE = "/proc/PID/smaps_rollup of every process, after the window"
LEAD = "The processes hold"


def memory(runs: Runs) -> Iterator[Line | None]:
    """RSS, which counts shared pages in every process, and PSS, which divides them."""
    source = runs.plan.sources.get("memory", SOURCE)
    rss = Topic("D6", "memory", "memory, RSS of all processes", "MiB", source, LEAD, headline=True)
    yield compared(runs, rss, resident)
    shared = Topic("D6", "memory", "memory, PSS (shared pages split)", "MiB", SOURCE, LEAD)
    yield compared(runs, shared, lambda window: _sum(window.pss_mib))


def resident(window: Window) -> float | None:
    """RSS of all the subject's processes, in MiB."""
    return _sum(window.rss_mib)


def _sum(mib: Mapping[str, float]) -> float | None:
    return sum(mib.values()) if mib else None
