"""The ladder: every rung adds one component of a boundary, so that the steps add up to its price.

Only means are used, since quantiles do not add. The difference between the rungs T0 and T6 must be
that between the shapes they stand for, which are measured separately; the residual is what is left.
It depends on the two ends only, and says nothing about the rungs between. The cross-check for those
is one hop alone, measured on the same rungs.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from borough_bill.analysis.formats import amount, article, number, share, span
from borough_bill.analysis.runs import Reading, Runs, cpu, mean_latency, mean_of_instances, series
from borough_bill.analysis.statistics import LEVEL, Interval, Series, difference, mean_of
from borough_bill.results import RUNG_TITLES, RUNGS, CriticalPath, Frozen, HopRung, Rung, titled

SHIPPED: Rung = "T6"
"""The rung that corresponds to a shape as it is measured on its own: with tracing off."""
RESIDUAL = 0.15
"""The largest residual, as a share of the difference of the shapes, unless chance explains it."""
CHANCE_LIMIT = 0.5
"""Half-width of the residual's interval, as a share of that difference: above it, chance is no
explanation.
"""


class Step(Frozen):
    """A rung: its value, and its difference to the rung below; None for the lowest."""

    rung: Rung
    name: str
    value: Interval
    added: Interval | None


class Ladder(Frozen):
    """The steps, their sum `climbed` (T6 - T0), and the difference between the shapes `measured`
    separately. `residual` is `measured` less `climbed`; both are None for a ladder of one hop.
    """

    title: str
    unit: str
    steps: tuple[Step, ...]
    climbed: Interval
    measured: Interval | None = None
    residual: Interval | None = None

    @property
    def residual_share(self) -> float:
        """The residual over the measured difference; infinite where there is none."""
        return self._share(lambda residual: abs(residual.mean))

    @property
    def chance_share(self) -> float:
        """The half-width of the residual's interval over the measured difference."""
        return self._share(lambda residual: residual.half_width)

    def _share(self, of: Callable[[Interval], float]) -> float:
        if self.measured is None or self.residual is None or self.measured.mean == 0:
            return np.inf
        return of(self.residual) / abs(self.measured.mean)

    @property
    def closes(self) -> bool:
        """Whether the ends of the ladder differ as the shapes do: the residual is small, or its
        interval contains 0 and is not too wide to show a large one.
        """
        return self.residual_share <= RESIDUAL or (
            self.residual_share <= self.chance_share <= CHANCE_LIMIT
        )


def latency_ladder(runs: Runs) -> Ladder | None:
    """The ladder of the mean latency of a request."""
    return _ladder(runs, "latency", "ms", mean_latency)


def cpu_ladder(runs: Runs) -> Ladder | None:
    """The ladder of the CPU of a request."""
    return _ladder(runs, "CPU", "us", cpu)


def _ladder(runs: Runs, what: str, unit: str, reading: Reading) -> Ladder | None:
    """A ladder under load, with its residual; None where no block has all rungs and shapes."""
    rungs, plan = {rung: series(runs.rung(rung), reading) for rung in RUNGS}, runs.plan
    one, again, top = (
        series(runs.windows(subject), reading)
        for subject in (plan.reference, plan.again, plan.top or "")
    )
    reference = mean_of_instances(one, again)
    common = set.intersection(*map(set, rungs.values()), set(reference), set(top))
    if not common:
        return None
    rungs = {rung: {block: found[block] for block in common} for rung, found in rungs.items()}
    climbed = {block: rungs[SHIPPED][block] - rungs["T0"][block] for block in common}
    measured = {block: top[block] - reference[block] for block in common}
    return Ladder(
        title=f"{what} of {article(plan.noun)}",
        unit=unit,
        steps=_steps(rungs, runs.level),
        climbed=mean_of(climbed, runs.level),
        measured=mean_of(measured, runs.level),
        residual=difference(measured, climbed, runs.level),
    )


def hop_ladders(measured: tuple[HopRung, ...]) -> Iterator[Ladder]:
    """The ladders of one hop alone: of its time and CPU, for each concurrency and each pause."""
    kinds: dict[str, Callable[[HopRung], float]] = {
        "time": lambda hop: hop.mean_us,
        "CPU of both ends": lambda hop: hop.cpu_caller_us + hop.cpu_callee_us,
    }
    for pause, in_flight in sorted({(hop.pause_ms, hop.in_flight) for hop in measured}):
        pacing = f"called every {pause:g} ms" if pause else f"{in_flight} in flight"
        paced = [hop for hop in measured if (hop.pause_ms, hop.in_flight) == (pause, in_flight)]
        for name, reading in kinds.items():
            rungs: dict[Rung, Series] = {
                rung: {hop.block: reading(hop) for hop in paced if hop.rung == rung}
                for rung in RUNGS
            }
            if all(rungs.values()):
                yield Ladder(
                    title=f"one hop, {pacing}: {name}",
                    unit="us",
                    steps=_steps(rungs),
                    climbed=difference(rungs[SHIPPED], rungs["T0"]),
                )


def _steps(rungs: dict[Rung, Series], level: float = LEVEL) -> tuple[Step, ...]:
    below: dict[Rung, Rung] = dict(zip(RUNGS[1:], RUNGS, strict=False))
    return tuple(
        Step(
            rung=rung,
            name=RUNG_TITLES[rung],
            value=mean_of(found, level),
            added=difference(found, rungs[below[rung]], level) if rung in below else None,
        )
        for rung, found in rungs.items()
    )


def closure(ladder: Ladder, reference: str, top: str) -> str:
    """The sum of the rungs, and the residual. Raises ValueError for a ladder of one hop."""
    if ladder.measured is None or ladder.residual is None:
        raise ValueError("a ladder of one hop has no residual")
    return (
        f"The rungs add up to {amount(ladder.climbed.mean, ladder.unit)}; {top} minus {reference}, "
        f"measured separately, is {amount(ladder.measured.mean, ladder.unit)}. The residual is "
        f"{amount(ladder.residual.mean, ladder.unit)} ({span(ladder.residual, ladder.unit)}), "
        f"{share(ladder.residual_share, 1)} ± {share(ladder.chance_share)} of that difference."
    )


def hops_alone(ladder: Ladder, one_hop: Sequence[Ladder], hops: Interval) -> str:
    """The cross-check of CPU: the number of hops of a request times the cost of one hop alone."""
    sums = " or ".join(
        f"{amount(hops.mean * hop.climbed.mean, ladder.unit)} "
        f"({hop.title.split(':')[0].removeprefix('one hop, ')}: "
        f"{amount(hop.climbed.mean, ladder.unit)} each)"
        for hop in one_hop
    )
    return (
        f"Cross-check: {number(hops.mean, 'hops')} hops, at the cost of one hop alone on the same "
        f"rungs, cost {sums}; the rungs add up to {amount(ladder.climbed.mean, ladder.unit)}. A "
        "part that is called rarely runs with cold CPU caches; in an order that holds for every "
        "part, and for its own work too."
    )


def hops_on_path(ladder: Ladder, path: CriticalPath) -> str:
    """The cross-check of latency: the hops on the critical path of traces."""
    return (
        f"Cross-check from {path.traces} traces on rung {titled('T7b')}: "
        f"{amount(path.hop_ms, 'ms')} of the {amount(path.path_ms, 'ms')} on the critical path are "
        f"hops ({share(path.hop_ms / path.path_ms)}), {path.hops:.1f} of them in sequence; the "
        f"rungs add up to {amount(ladder.climbed.mean, ladder.unit)}. The difference is spent "
        "within the parts, whose own work is slower when they alternate on a core."
    )
