"""D6: memory that all processes of a shape hold, after a window of load."""

from collections.abc import Iterator, Mapping

from borough_bill.lines.line import Line, Topic, compared
from borough_bill.lines.runs import Runs

SOURCE = "/proc/PID/smaps_rollup of every process, after the window"
LEAD = "The processes hold"


def memory(runs: Runs) -> Iterator[Line | None]:
    """RSS, what as many containers would hold; PSS, what they hold together on one machine."""
    source = runs.plan.sources.get("memory", SOURCE)
    resident = Topic("D6", "memory, RSS of all processes", "MiB", source, LEAD, headline=True)
    yield compared(runs, resident, lambda window: _sum(window.rss_mib))
    shared = Topic("D6", "memory, PSS (shared pages split)", "MiB", SOURCE, LEAD)
    yield compared(runs, shared, lambda window: _sum(window.pss_mib))


def _sum(mib: Mapping[str, float]) -> float | None:
    return sum(mib.values()) if mib else None
