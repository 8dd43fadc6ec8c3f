"""What the pods of one target did between two looks at their counters. Pure: time is an argument.

A pod counts from the look before: who is new begins with the next, since its peers answered for it
until now. A pod that was there and does not answer, or whose counters fell since it started again,
is taken to do as its peers do, so that a lost answer does not look like lost load; where half of
them or more are silent, nothing is known. The increases of all pods add up to counters of the
target, and a rate is their slope over the last moments: what a pod answered before it went stays
answered.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from borough_operator.decision.model import Measure, Need, Reading, Truth
from borough_operator.sources.exposition import Key
from borough_operator.sources.mapping import SeriesMapping


@dataclass(frozen=True, slots=True)
class Told:
    """What one pod told."""

    at: float
    totals: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class _Look:
    """The target at one moment: its counters, as if it were one process that never starts again."""

    at: float
    counters: Mapping[Key, float]
    in_flight: float | None


class Track:
    """One target, over the last `window` seconds and at least two looks."""

    def __init__(self, mapping: SeriesMapping, window: float) -> None:
        self._mapping = mapping
        self._window = window
        self._ready: frozenset[str] = frozenset()
        self._told: Mapping[str, Told] = {}
        self._looks: list[_Look] = []
        self._detail = ""
        self._failed = False

    @property
    def at(self) -> float:
        """When it was looked at last."""
        return self._looks[-1].at if self._looks else -math.inf

    def look(self, at: float, ready: Sequence[str], told: Mapping[str, Told], why: str) -> None:
        """Take in what those of the ready pods told that answered; `why` some did not."""
        before, self._told = self._told, told
        there = self._ready.intersection(ready)
        self._ready = frozenset(ready)
        silent = len(ready) - len(told)
        self._detail = f"{silent} of {len(ready)} pods gave no metrics: {why}" if silent else ""
        self._failed = bool(ready) and 2 * silent >= len(ready)
        if self._failed or not ready:
            self._told, self._looks = {}, []
            return
        counted = [pod for pod in told if pod in before and self._goes_on(before[pod], told[pod])]
        counters: dict[Key, float] = {}
        if counted and self._looks:
            counters |= self._looks[-1].counters
            share = len(there.union(counted)) / len(counted)
            for pod in counted:
                pace = (at - self._looks[-1].at) / (told[pod].at - before[pod].at)
                for key, value in self._counters(told[pod]):
                    more = value - before[pod].totals.get(key, value)  # a new one tells no increase
                    counters[key] = counters.get(key, 0.0) + more * pace * share
        else:
            self._looks = []
        self._looks.append(_Look(at, counters, self._in_flight(there)))
        while len(self._looks) > 2 and self._looks[0].at < at - self._window:  # noqa: PLR2004  # a slope
            del self._looks[0]

    def reading(self, need: Need, now: float) -> Reading:
        """What is known of a need, which is no query."""
        if self._failed:
            return Reading(Truth.ERROR, detail=self._detail)
        if not self._looks:
            return Reading(Truth.EMPTY, detail="no pod is ready")
        metric = self._mapping.metric(need.measure)
        if need.measure is not Measure.IN_FLIGHT and len(self._looks) == 1:
            return Reading(Truth.EMPTY, detail=f"{metric} was looked at only once so far")
        value = self._value(need)
        if value is None:
            return Reading(Truth.EMPTY, detail=self._nothing(need.measure))
        return Reading(Truth.FRESH, value, max(0.0, now - self._looks[-1].at), self._detail)

    def _value(self, need: Need) -> float | None:
        match need.measure:
            case Measure.RATE:
                return self._slope(self._mapping.rate_metric)
            case Measure.IN_FLIGHT:
                latest = self._looks[-1].at - self._window
                seen = [look.in_flight for look in self._looks if look.at >= latest]
                told = [number for number in seen if number is not None]
                return sum(told) / len(told) if told else None
            case Measure.DURATION:
                seconds = self._slope(self._mapping.duration_metric + "_sum")
                requests = self._slope(self._mapping.duration_metric + "_count")
                return seconds / requests if seconds is not None and requests else None
            case Measure.QUANTILE:
                bounds = (key for key in self._looks[-1].counters if isinstance(key, float))
                return quantile(float(need.argument), {b: self._slope(b) or 0.0 for b in bounds})
            case Measure.QUERY:
                raise ValueError("pods answer no query")

    def _slope(self, key: Key) -> float | None:
        """How much it grew a second."""
        first, last = self._looks[0], self._looks[-1]
        if key not in last.counters:
            return None
        return (last.counters[key] - first.counters.get(key, 0.0)) / (last.at - first.at)

    def _in_flight(self, there: frozenset[str]) -> float | None:
        """Of all pods, those included that were there before and are silent now."""
        metric = self._mapping.in_flight_metric
        told = [one.totals[metric] for one in self._told.values() if metric in one.totals]
        silent = len(there.difference(self._told))
        return sum(told) * (1 + silent / len(self._told)) if told else None

    def _counters(self, told: Told) -> Iterator[tuple[Key, float]]:
        gauge = self._mapping.in_flight_metric
        return ((key, value) for key, value in told.totals.items() if key != gauge)

    def _goes_on(self, before: Told, now: Told) -> bool:
        """Whether its counters count on from before."""
        fell = any(now.totals.get(key, 0.0) < was for key, was in self._counters(before))
        return now.at > before.at and not fell

    def _nothing(self, measure: Measure) -> str:
        metric, keys = self._mapping.metric(measure), self._looks[-1].counters
        if measure is Measure.QUANTILE:
            told = any(isinstance(key, float) for key in keys)
        else:
            told = any(str(key).startswith(metric) for key in keys)
        return "no request was answered of late" if told else f"no pod tells {metric}"


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """What that share of observations stays under, from cumulative counts by upper bound: as
    Prometheus estimates it, so that both sources agree.

    Prometheus's histogram_quantile: observations lie evenly within their bucket; what lies beyond
    the last finite bound is that bound. None where there is no observation or no bucket without a
    bound.
    """
    bounds = sorted(buckets)
    if len(bounds) < 2 or bounds[-1] != math.inf:  # noqa: PLR2004  # one finite bound and +Inf
        return None
    counts: list[float] = []
    for bound in bounds:  # the sums of pods that disagree about the bounds may fall
        counts.append(max(buckets[bound], counts[-1] if counts else 0.0))
    if not counts[-1]:
        return None
    rank = share * counts[-1]
    place = next(i for i, count in enumerate(counts) if count >= rank)
    if place == len(bounds) - 1:
        return bounds[-2]
    below, under = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return below + (bounds[place] - below) * (rank - under) / (counts[place] - under)
