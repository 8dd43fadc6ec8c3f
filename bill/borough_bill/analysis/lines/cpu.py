"""Lines D4, CPU of a request in total and by part, and D8, CPU at no load."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.lines.formats import article
from borough_bill.analysis.lines.line import Line, Topic, between, compared, per_served
from borough_bill.analysis.lines.runs import Reading, Runs, cpu, mean_of_instances, part_of, series
from borough_bill.analysis.statistics import Interval, Series, mean_of
from borough_bill.results import Window

CLOCK = "CPU clock of every process, at the edges of the window"


IDLE = "CPU at no load"


class PartCost(BaseModel):
    """CPU of one part of one subject, in microseconds a served request."""

    model_config = ConfigDict(frozen=True)

    subject: str
    part: str
    cpu: Interval


def cpu_lines(runs: Runs) -> Iterator[Line | None]:
    """CPU of a request over all processes, and CPU at no load."""
    title = f"CPU of {article(runs.plan.noun)}"
    lead = f"{article(runs.plan.noun).capitalize()} costs"
    source = f"{runs.plan.sources.get('CPU', CLOCK)}; includes {IDLE} (D8)"
    topic = Topic("D4", "CPU", title, "us", source, lead, "more CPU", "less CPU", headline=True)
    yield compared(runs, topic, cpu)
    idle = Topic("D8", "CPU", IDLE, "% of a core", CLOCK, "At no load the processes use")
    yield between(runs, idle, lambda subject: _idle(runs, subject))


def _idle(runs: Runs, subject: str) -> Series:
    return series(runs.idle(subject), lambda w: 100 * sum(w.cpu_s.values()) / w.seconds)


def parts(runs: Runs) -> tuple[PartCost, ...]:
    """CPU of every part of every subject; for the reference, the mean of its two instances."""
    plan = runs.plan
    again = runs.windows(plan.again)
    return tuple(
        PartCost(subject=subject, part=part, cpu=mean_of(found))
        for subject in plan.subjects
        if subject != plan.again
        for part in _parts_of(runs.windows(subject))
        if (
            found := mean_of_instances(
                series(runs.windows(subject), _of(part)),
                series(again, _of(part)) if subject == plan.reference else {},
            )
        )
    )


def _parts_of(windows: tuple[Window, ...]) -> dict[str, None]:
    return dict.fromkeys(part_of(process) for window in windows for process in window.cpu_s)


def _of(part: str) -> Reading:
    def seconds(window: Window) -> float:
        return sum(s for process, s in window.cpu_s.items() if part_of(process) == part)

    return per_served(lambda window: seconds(window) * 1e6)
