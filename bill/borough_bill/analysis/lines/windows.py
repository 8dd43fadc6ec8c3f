"""Lines of a window of load as a whole: failed requests (D14), and memory of all processes (D6)."""

from collections.abc import Iterator, Mapping

from borough_bill.analysis.lines.line import Line, Topic, compared
from borough_bill.analysis.lines.runs import Runs
from borough_bill.results import Window

SEEN = "generator: no answer in time, or not the expected one"
HELD = "/proc/PID/smaps_rollup of every process, after the window"
LEAD = "The processes hold"


def failures(runs: Runs) -> Iterator[Line | None]:
    """The percentage of failed requests, of all that were sent within windows."""
    noun = runs.plan.noun
    lead = f"The share of {noun}s that fail is"
    yield compared(runs, Topic("D14", "failures", f"{noun}s that fail", "%", SEEN, lead), _failed)


def _failed(window: Window) -> float | None:
    return 100 * (window.failed + window.wrong) / window.offered if window.offered else None


def memory(runs: Runs) -> Iterator[Line | None]:
    """RSS, which counts shared pages in every process, and PSS, which divides them."""
    source = runs.plan.sources.get("memory", HELD)
    rss = Topic("D6", "memory", "memory, RSS of all processes", "MiB", source, LEAD, headline=True)
    yield compared(runs, rss, resident)
    shared = Topic("D6", "memory", "memory, PSS (shared pages split)", "MiB", HELD, LEAD)
    yield compared(runs, shared, lambda window: _sum(window.pss_mib))


def resident(window: Window) -> float | None:
    """RSS of all the subject's processes, in MiB."""
    return _sum(window.rss_mib)


def _sum(mib: Mapping[str, float]) -> float | None:
    return sum(mib.values()) if mib else None
