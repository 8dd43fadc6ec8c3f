"""The comparison on the same loads: this operator, each rival over its whole sweep, and two bounds.

A rival's row shows the setting of its front whose cost is nearest to this operator's. The operator
has one setting for all traces; a rival's is chosen for each trace afterwards.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from borough_operator.simulator import front, scores
from borough_operator.simulator.front import Point, Verdict
from borough_operator.simulator.ours import Ours, Source
from borough_operator.simulator.pods import Model
from borough_operator.simulator.rivals import bounds
from borough_operator.simulator.rivals.hpa import HpaCpu, HpaRate, Keda
from borough_operator.simulator.rivals.kpa import Kpa
from borough_operator.simulator.scores import Scores
from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import Autoscaler, Timeline, run
from borough_operator.simulator.traces import Trace

TARGETS = range(30, 95, 5)
"""Percent of a pod's capacity that a rival targets."""
DOWN_WINDOWS = (60, 120, 180, 300, 600)
"""Seconds of HPA's scale-down stabilisation, on CPU."""
RATE_DOWN_WINDOWS = (60, 300)
"""The same on a rate, and of KEDA."""
RATE_WINDOWS = (15, 60)
"""Seconds of `rate()` for those that read Prometheus: this operator's, and the usual."""

OURS = "ours"
"""This operator with the source Pods."""
OURS_PROMETHEUS = "ours, Prometheus"
HPA_CPU, HPA_RATE, KEDA, KPA = "HPA on CPU", "HPA on rate", "KEDA", "KPA"
STATIC, ORACLE = "static", "oracle"
SWEPT = (HPA_CPU, HPA_RATE, KEDA, KPA)

Factory = Callable[[], Autoscaler]


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy with one setting on one trace."""

    policy: str
    setting: str
    scores: Scores
    make: Factory
    """Creates the policy anew, to run it again."""

    @property
    def point(self) -> Point:
        """Its cost and violations."""
        return Point(self.scores.replica_hours, float(self.scores.violations))


@dataclass(frozen=True, slots=True)
class Result:
    """The results of one trace: a row for each policy, and comparisons with HPA on CPU."""

    trace: Trace
    rows: tuple[Entry, ...]
    sweep: tuple[Entry, ...]
    """Every setting of HPA on CPU."""
    rate_sweep: tuple[Entry, ...]
    """Every setting of HPA on rate."""
    verdicts: Mapping[str, Verdict]
    """By policy: this operator with each source, and the oracle, which shows what is possible."""

    def row(self, policy: str) -> Entry:
        """The row of this policy."""
        return next(entry for entry in self.rows if entry.policy == policy)


class Comparison:
    """Runs policies on a model and its station."""

    def __init__(self, model: Model) -> None:
        self.model, self.station = model, Station(model)

    def result(self, trace: Trace) -> Result:
        """The results of all policies on one trace."""
        ours = [
            self._entry(trace, name, "", partial(Ours, self.model, self.station, source))
            for name, source in ((OURS, Source.PODS), (OURS_PROMETHEUS, Source.PROMETHEUS))
        ]
        sweeps = {name: self._sweep(trace, name) for name in SWEPT}
        nearest = [_nearest(sweeps[name], ours[0].point) for name in SWEPT]
        fixed = self._entry(trace, STATIC, "", partial(bounds.static, trace.load, self.station))
        best = partial(bounds.oracle, trace.load, self.station, self.model)
        oracle = self._entry(trace, ORACLE, "", best)
        curve = front.front([entry.point for entry in sweeps[HPA_CPU]])
        compared = [*ours, oracle]
        return Result(
            trace,
            (*ours, *nearest, fixed, oracle),
            tuple(sweeps[HPA_CPU]),
            tuple(sweeps[HPA_RATE]),
            {entry.policy: front.compare(entry.point, curve) for entry in compared},
        )

    def timeline(self, trace: Trace, policy: Autoscaler) -> Timeline:
        """Run one policy on one trace."""
        return run(trace.load, policy, self.station, self.model)

    def _entry(self, trace: Trace, policy: str, setting: str, make: Factory) -> Entry:
        found = scores.score(self.timeline(trace, make()), self.station)
        return Entry(policy, setting, found, make)

    def _sweep(self, trace: Trace, policy: str) -> Sequence[Entry]:
        return [self._entry(trace, policy, *setting) for setting in self._settings(policy)]

    def _settings(self, policy: str) -> Iterable[tuple[str, Factory]]:
        for target in TARGETS:
            if policy == KPA:
                yield f"{target} %", partial(Kpa, self.model, target)
            elif policy == HPA_CPU:
                for down in DOWN_WINDOWS:
                    yield f"{target} %, {down} s", partial(HpaCpu, self.model, target, float(down))
            else:
                rival = HpaRate if policy == HPA_RATE else Keda
                for down, rate in product(RATE_DOWN_WINDOWS, RATE_WINDOWS):
                    make = partial(rival, self.model, target, float(down), rate)
                    yield f"{target} %, {down} s, rate[{rate}s]", make


def _nearest(entries: Sequence[Entry], point: Point) -> Entry:
    """The entry on the front whose cost is nearest."""
    curve = set(front.front([entry.point for entry in entries]))
    best = [entry for entry in entries if entry.point in curve]
    return min(best, key=lambda entry: abs(entry.point.hours - point.hours))
