"""The load of one target from repeated scrapes of its pods' counters. Pure: time is an argument.

A new pod counts from its second scrape on, since the others carried the load until then. A pod that
does not respond, or whose counters decreased after a restart, is assumed to do as much as the
others, so that a lost scrape does not look like lost load; where half of the pods or more are
silent, nothing is known. The increases of all pods add up to counters of the target, and a rate is
their slope over the window: what a removed pod completed stays counted.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.exposition import Key
from borough_operator.sources.mapping import SeriesMapping


@dataclass(frozen=True, slots=True)
class Scrape:
    """The metrics of one pod at one time."""

    at: float
    totals: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The target at one time: its counters as if it were one process that never restarts."""

    at: float
    counters: Mapping[Key, float]
    in_flight: float | None


class TargetCounters:
    """The counters of one target over the last `window` seconds, and at least two snapshots."""

    def __init__(self, mapping: SeriesMapping, window: float) -> None:
        self._mapping = mapping
        self._window = window
        self._ready: frozenset[str] = frozenset()
        self._scrapes: Mapping[str, Scrape] = {}
        self._snapshots: list[_Snapshot] = []
        self._detail = ""
        self._failed = False

    @property
    def at(self) -> float:
        """Time of the last snapshot."""
        return self._snapshots[-1].at if self._snapshots else -math.inf

    def add(self, at: float, ready: Sequence[str], scrapes: Mapping[str, Scrape], why: str) -> None:
        """Add one round of scrapes.

        Args: `ready` are the URLs of all ready pods, `scrapes` the metrics of those that responded,
        and `why` says why some did not.
        """
        before, self._scrapes = self._scrapes, scrapes
        known = self._ready.intersection(ready)
        self._ready = frozenset(ready)
        silent = len(ready) - len(scrapes)
        self._detail = f"{silent} of {len(ready)} pods returned no metrics: {why}" if silent else ""
        self._failed = bool(ready) and 2 * silent >= len(ready)
        if self._failed or not ready:
            self._scrapes, self._snapshots = {}, []
            return
        counted = [
            pod for pod in scrapes if pod in before and self._continues(before[pod], scrapes[pod])
        ]
        counters: dict[Key, float] = {}
        if counted and self._snapshots:
            counters |= self._snapshots[-1].counters
            factor = len(known.union(counted)) / len(counted)
            for pod in counted:
                pace = (at - self._snapshots[-1].at) / (scrapes[pod].at - before[pod].at)
                for key, value in self._counters(scrapes[pod]):
                    more = value - before[pod].totals.get(
                        key, value
                    )  # a new counter has no increase
                    counters[key] = counters.get(key, 0.0) + more * pace * factor
        else:
            self._snapshots = []
        self._snapshots.append(_Snapshot(at, counters, self._in_flight(known)))
        while len(self._snapshots) > 2 and self._snapshots[0].at < at - self._window:  # noqa: PLR2004  # needed for a slope
            del self._snapshots[0]

    def reading(self, need: Need, now: float) -> Reading:
        """The reading of a need other than a query."""
        if self._failed:
            return Reading(Freshness.ERROR, detail=self._detail)
        if not self._snapshots:
            return Reading(Freshness.EMPTY, detail="no pod is ready")
        metric = self._mapping.metric(need.measure)
        if need.measure is not Measure.IN_FLIGHT and len(self._snapshots) == 1:
            return Reading(Freshness.EMPTY, detail=f"{metric} was read only once so far")
        value = self._value(need)
        if value is None:
            return Reading(Freshness.EMPTY, detail=self._no_value(need.measure))
        return Reading(Freshness.FRESH, value, max(0.0, now - self._snapshots[-1].at), self._detail)

    def _value(self, need: Need) -> float | None:
        match need.measure:
            case Measure.RATE:
                return self._slope(self._mapping.rate_metric)
            case Measure.IN_FLIGHT:
                latest = self._snapshots[-1].at - self._window
                recent = [each.in_flight for each in self._snapshots if each.at >= latest]
                known = [number for number in recent if number is not None]
                return sum(known) / len(known) if known else None
            case Measure.DURATION:
                seconds = self._slope(self._mapping.duration_metric + "_sum")
                requests = self._slope(self._mapping.duration_metric + "_count")
                return seconds / requests if seconds is not None and requests else None
            case Measure.QUANTILE:
                bounds = (key for key in self._snapshots[-1].counters if isinstance(key, float))
                return quantile(float(need.argument), {b: self._slope(b) or 0.0 for b in bounds})
            case Measure.QUERY:
                raise ValueError("a query is not read from pods")

    def _slope(self, key: Key) -> float | None:
        """Its increase per second."""
        first, last = self._snapshots[0], self._snapshots[-1]
        if key not in last.counters:
            return None
        return (last.counters[key] - first.counters.get(key, 0.0)) / (last.at - first.at)

    def _in_flight(self, known: frozenset[str]) -> float | None:
        """Requests in flight of all pods, silent ones of before included."""
        metric = self._mapping.in_flight_metric
        values = [one.totals[metric] for one in self._scrapes.values() if metric in one.totals]
        silent = len(known.difference(self._scrapes))
        return sum(values) * (1 + silent / len(self._scrapes)) if values else None

    def _counters(self, scrape: Scrape) -> Iterator[tuple[Key, float]]:
        gauge = self._mapping.in_flight_metric
        return ((key, value) for key, value in scrape.totals.items() if key != gauge)

    def _continues(self, before: Scrape, now: Scrape) -> bool:
        """Whether its counters continue from the scrape before."""
        decreased = any(now.totals.get(key, 0.0) < was for key, was in self._counters(before))
        return now.at > before.at and not decreased

    def _no_value(self, measure: Measure) -> str:
        metric, keys = self._mapping.metric(measure), self._snapshots[-1].counters
        if measure is Measure.QUANTILE:
            present = any(isinstance(key, float) for key in keys)
        else:
            present = any(str(key).startswith(metric) for key in keys)
        return "no request completed recently" if present else f"no pod has {metric}"


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The quantile `share` (0 to 1) from cumulative counts by upper bound, as Prometheus
    estimates it, so that both sources agree.

    Its histogram_quantile: linear interpolation within the bucket; beyond the last
    finite bound the result is that bound. None where there is no observation or no bucket +Inf.
    """
    bounds = sorted(buckets)
    if len(bounds) < 2 or bounds[-1] != math.inf:  # noqa: PLR2004  # one finite bound and +Inf
        return None
    counts: list[float] = []
    for bound in bounds:  # sums of pods with different bounds may decrease
        counts.append(max(buckets[bound], counts[-1] if counts else 0.0))
    if not counts[-1]:
        return None
    rank = share * counts[-1]
    place = next(i for i, count in enumerate(counts) if count >= rank)
    if place == len(bounds) - 1:
        return bounds[-2]
    below, under = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return below + (bounds[place] - below) * (rank - under) / (counts[place] - under)
