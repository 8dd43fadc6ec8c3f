"""Everybody on the same loads: ours, each rival with its whole sweep, and the two with hindsight.

A rival's row shows the setting of its front that costs most nearly what we cost. No setting of ours
depends on the trace; the rivals choose theirs afterwards, trace by trace.
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
from borough_operator.simulator.timeline import Policy, Timeline, run
from borough_operator.simulator.traces import Trace

TARGETS = range(30, 95, 5)
"""Percent of what a pod can do that a rival may aim at."""
DOWN_WINDOWS = (60, 120, 180, 300, 600)
"""Seconds of HPA's stabilisation on the way down, on CPU."""
RATE_DOWN_WINDOWS = (60, 300)
"""The same on a rate, and of KEDA."""
RATE_WINDOWS = (15, 60)
"""Seconds of `rate()` for those that read Prometheus: our own, and the usual."""

OURS = "ours"
"""With the Pods source."""
OURS_PROMETHEUS = "ours, Prometheus"
HPA_CPU, HPA_RATE, KEDA, KPA = "HPA on CPU", "HPA on rate", "KEDA", "KPA"
STATIC, ORACLE = "static", "oracle"
SWEPT = (HPA_CPU, HPA_RATE, KEDA, KPA)

Maker = Callable[[], Policy]


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy with one setting on one trace."""

    policy: str
    setting: str
    scores: Scores
    make: Maker
    """A fresh one, to look at again."""

    @property
    def point(self) -> Point:
        """Its place among cost and misery."""
        return Point(self.scores.replica_hours, float(self.scores.violations))


@dataclass(frozen=True, slots=True)
class Result:
    """One trace: a row a policy, and ours against HPA on CPU."""

    trace: Trace
    rows: tuple[Entry, ...]
    sweep: tuple[Entry, ...]
    """Every setting of HPA on CPU."""
    rate_sweep: tuple[Entry, ...]
    """Every setting of HPA on rate."""
    verdicts: Mapping[str, Verdict]
    """Of ours with each source, and of the oracle, who shows what could be had."""

    def row(self, policy: str) -> Entry:
        """The row of this policy."""
        return next(entry for entry in self.rows if entry.policy == policy)


class Contest:
    """A model and the station that belongs to it."""

    def __init__(self, model: Model) -> None:
        self.model, self.station = model, Station(model)

    def result(self, trace: Trace) -> Result:
        """Everybody on one trace."""
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
        judged = [*ours, oracle]
        return Result(
            trace,
            (*ours, *nearest, fixed, oracle),
            tuple(sweeps[HPA_CPU]),
            tuple(sweeps[HPA_RATE]),
            {entry.policy: front.judge(entry.point, curve) for entry in judged},
        )

    def timeline(self, trace: Trace, policy: Policy) -> Timeline:
        """One policy's life on one trace."""
        return run(trace.load, policy, self.station, self.model)

    def _entry(self, trace: Trace, policy: str, setting: str, make: Maker) -> Entry:
        told = scores.score(self.timeline(trace, make()), self.station)
        return Entry(policy, setting, told, make)

    def _sweep(self, trace: Trace, policy: str) -> Sequence[Entry]:
        return [self._entry(trace, policy, *setting) for setting in self._settings(policy)]

    def _settings(self, policy: str) -> Iterable[tuple[str, Maker]]:
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
    """The entry on the front that costs most nearly the same."""
    curve = set(front.front([entry.point for entry in entries]))
    best = [entry for entry in entries if entry.point in curve]
    return min(best, key=lambda entry: abs(entry.point.hours - point.hours))
