"""The ladder: one thing more on every rung, so that differences of neighbours add up to the price.

Means only, since quantiles do not add. The rungs T0 to T6 must come to what the shapes cost when
they are measured on their own; what is left between the two is the residual. It sees the ladder's
ends and not the rungs between: of these a cross-check tells, one hop alone on the same rungs.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.families import Family
from borough_bill.analysis.lines.cpu import CLOCK
from borough_bill.analysis.lines.latency import SOURCE
from borough_bill.analysis.lines.line import Line, Topic, line, visible_from
from borough_bill.analysis.lines.runs import Reading, Runs, cpu, mean_latency, series, twins
from borough_bill.analysis.lines.words import amount, article, number, share, span
from borough_bill.analysis.statistics import LEVEL, Interval, Series, difference, mean_of
from borough_bill.results import RUNGS, CriticalPath, HopRung, Rung

NAMES: dict[Rung, str] = {
    "T0": "a direct call",
    "T1": "encode and decode",
    "T3": "process and TCP",
    "T5": "deadline, retry, breaker, balancing",
    "T6": "metrics",
    "T7a": "traces, 1 %",
    "T7b": "traces, 100 %, exported",
}
SHIPPED: Rung = "T6"
"""The rung where a shape stands as it is measured on its own: tracing off."""
RESIDUAL = 0.15
"""Of the end-to-end difference: a ladder that leaves more than this explains nothing, unless chance
leaves it.
"""
BLUR = 0.5
"""Of it: where chance alone could leave more than this, it excuses nothing."""


class Step(BaseModel):
    """A rung: its value, and what it added to the rung below; None at the foot."""

    model_config = ConfigDict(frozen=True)

    rung: Rung
    name: str
    value: Interval
    added: Interval | None


class Ladder(BaseModel):
    """Steps that add up to `climbed` (T6 - T0), beside the same difference `measured` apart."""

    model_config = ConfigDict(frozen=True)

    title: str
    unit: str
    steps: tuple[Step, ...]
    climbed: Interval
    measured: Interval | None = None
    residual: Interval | None = None

    @property
    def residual_share(self) -> float:
        """Residual over the measured difference; infinite where nothing was measured apart."""
        return self._share(lambda residual: abs(residual.mean))

    @property
    def chance_share(self) -> float:
        """Half the residual's interval over the same: what chance may leave."""
        return self._share(lambda residual: residual.half_width)

    def _share(self, of: Callable[[Interval], float]) -> float:
        if self.measured is None or self.residual is None or self.measured.mean == 0:
            return np.inf
        return of(self.residual) / abs(self.measured.mean)

    @property
    def closes(self) -> bool:
        """Whether the ladder's ends stand as far apart as the shapes they stand for, as far as so
        many blocks can tell.
        """
        return self.residual_share <= RESIDUAL or (self.residual_share <= self.chance_share <= BLUR)


def order_ladder(runs: Runs, title: str, unit: str, reading: Reading) -> Ladder | None:
    """A ladder under load, with its residual; None where a rung is missing."""
    rungs = {rung: series(runs.rung(rung), reading) for rung in RUNGS}
    plan = runs.plan
    one, again, top = (
        series(runs.windows(subject), reading)
        for subject in (plan.reference, plan.again, plan.top or "")
    )
    reference = twins(one, again)
    common = set.intersection(*map(set, rungs.values()), set(reference), set(top))
    if not common:
        return None
    rungs = {rung: {block: found[block] for block in common} for rung, found in rungs.items()}
    climbed = {block: rungs[SHIPPED][block] - rungs["T0"][block] for block in common}
    measured = {block: top[block] - reference[block] for block in common}
    return Ladder(
        title=title,
        unit=unit,
        steps=_steps(rungs, runs.level),
        climbed=mean_of(climbed, runs.level),
        measured=mean_of(measured, runs.level),
        residual=difference(measured, climbed, runs.level),
    )


def latency_ladder(runs: Runs) -> Ladder | None:
    """Mean latency of a request, rung by rung."""
    return order_ladder(runs, f"latency of {article(runs.plan.noun)}", "ms", mean_latency)


def cpu_ladder(runs: Runs) -> Ladder | None:
    """CPU of a request, rung by rung."""
    return order_ladder(runs, f"CPU of {article(runs.plan.noun)}", "us", cpu)


def hop_ladders(measured: tuple[HopRung, ...]) -> Iterator[Ladder]:
    """One hop alone: its time and its CPU, for each number of calls in flight and each pause."""
    kinds: dict[str, Callable[[HopRung], float]] = {
        "time": lambda hop: hop.mean_us,
        "CPU of both ends": lambda hop: hop.cpu_caller_us + hop.cpu_callee_us,
    }
    for pace in sorted({(hop.pause_ms, hop.in_flight) for hop in measured}):
        pause, in_flight = pace
        asked = f"asked every {pause:g} ms" if pause else f"{in_flight} in flight"
        for name, reading in kinds.items():
            rungs: dict[Rung, Series] = {
                rung: {
                    hop.block: reading(hop)
                    for hop in measured
                    if (hop.rung, hop.pause_ms, hop.in_flight) == (rung, *pace)
                }
                for rung in RUNGS
            }
            if all(rungs.values()):
                yield Ladder(
                    title=f"one hop, {asked}: {name}",
                    unit="us",
                    steps=_steps(rungs),
                    climbed=difference(rungs[SHIPPED], rungs["T0"]),
                )


def _steps(rungs: dict[Rung, Series], level: float = LEVEL) -> tuple[Step, ...]:
    below: dict[Rung, Rung] = dict(zip(RUNGS[1:], RUNGS, strict=False))
    return tuple(
        Step(
            rung=rung,
            name=NAMES[rung],
            value=mean_of(found, level),
            added=difference(found, rungs[below[rung]], level) if rung in below else None,
        )
        for rung, found in rungs.items()
    )


def telemetry(runs: Runs) -> Iterator[Line | None]:
    """D10: what watching costs: the rungs of metrics and traces against the rung without."""
    noun = article(runs.plan.noun)
    lead = f"On average {noun} takes"
    yield _watched(runs, "latency", ("latency, mean", "ms", SOURCE, lead), mean_latency)
    yield _watched(runs, "CPU", (f"CPU of {noun}", "us", CLOCK, f"{noun.capitalize()} costs"), cpu)


def _watched(
    runs: Runs, family: Family, words: tuple[str, str, str, str], reading: Reading
) -> Line | None:
    title, unit, source, lead = words
    found = {rung: series(runs.rung(rung), reading) for rung in RUNGS[RUNGS.index("T5") :]}
    bare, plan = found.pop("T5"), runs.plan
    again, base = (series(runs.windows(s), reading) for s in (plan.again, plan.reference))
    smallest = visible_from(again, base, runs.level)
    named = {f"{NAMES[rung]} ({rung})": values for rung, values in found.items()}
    topic = Topic("D10", family, title, unit, f"ladder; {source}", lead, where="with")
    without = ("no telemetry between parts (T5)", bare)
    return line("telemetry", topic, without, named, smallest, runs.level)


def closure(ladder: Ladder, reference: str, top: str) -> str:
    """In plain English: do the rungs come to the price?"""
    if ladder.measured is None or ladder.residual is None:
        raise ValueError("a ladder of one hop stands alone")
    return (
        f"The rungs add {amount(ladder.climbed.mean, ladder.unit)}; {top} minus {reference}, "
        f"measured apart, is {amount(ladder.measured.mean, ladder.unit)}; between the two are "
        f"{amount(ladder.residual.mean, ladder.unit)} ({span(ladder.residual, ladder.unit)}), "
        f"{share(ladder.residual_share, 1)} of the difference, give or take "
        f"{share(ladder.chance_share)}."
    )


def alone(ladder: Ladder, one_hop: Sequence[Ladder], hops: Interval) -> str:
    """The cross-check of an order's CPU: as many hops as it makes, each as dear as one alone."""
    sums = " and ".join(
        f"{amount(hops.mean * alone.climbed.mean, ladder.unit)} "
        f"({alone.title.split(':')[0].removeprefix('one hop, ')}: "
        f"{amount(alone.climbed.mean, ladder.unit)} each)"
        for alone in one_hop
    )
    return (
        f"A cross-check: {number(hops.mean, 'hops')} hops, each as dear as one hop alone on the "
        f"same rungs, come to {sums}; the rungs add {amount(ladder.climbed.mean, ladder.unit)}. "
        "Whoever is asked now and then finds his caches cold; in an order every part is, in its "
        "own work as well."
    )


def on_the_path(ladder: Ladder, path: CriticalPath) -> str:
    """The cross-check of an order's latency: what its traces say of hops."""
    return (
        f"A cross-check from {path.traces} traces on T7b: {amount(path.hop_ms, 'ms')} of the "
        f"{amount(path.path_ms, 'ms')} on the critical path are hops "
        f"({share(path.hop_ms / path.path_ms)}), {path.hops:.1f} of them in a row, and the rungs "
        f"add {amount(ladder.climbed.mean, ladder.unit)}. What is left is within the parts, whose "
        "own work is slower where they take turns."
    )
