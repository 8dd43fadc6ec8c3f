"""The source Pods: scrapes the target's pods itself, without Prometheus.

All ready pods of a target are scraped at once; a reading is what their counters gained since
earlier scrapes. A pod that does not respond within `POD_TIMEOUT` counts as silent, and is assumed
to do as much as the others.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.fetching import Fetcher, Recent, SingleFlight, Unusable
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.protocol import Ask, Target

Addresses = Callable[[Target], Sequence[str]]
"""The URLs of /metrics of a target's ready pods of any template, since all of them carry load."""

WINDOW = 6.0
"""Seconds that a value is averaged over, or one scrape interval where that is longer: Knative's
panic window, long enough to average and short enough to show a step at the second scrape."""
TIMEOUT = 3.0
"""Seconds for one reading of a target."""
PODS_TIMEOUT = 2.5
"""Seconds for all pods of a target, waiting for a slot included; pods known to hang get
`HANGING_WAIT`."""
POD_TIMEOUT = 1.0
"""Seconds for one pod."""
SHARED_FOR = 0.5
"""Seconds for which a target's scrapes are reused."""
MAX_BYTES = 4 << 20
"""Maximum bytes of one pod's response."""
_MAX_TARGETS_IN_FLIGHT = 256
_MAX_PODS_IN_FLIGHT = 64

ACCEPT = "text/plain; version=0.0.4"
"""The simpler of the two formats; a server that has only the other may respond with it."""

Key = str | float
"""The name of a metric, or the upper bound of a bucket."""

_LABELS = rb'[^"}\n]++|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
"""The inside of the braces: label names, or quoted values in which a backslash escapes the next
character."""
_BOUND = re.compile(rb'le(?<!\wle)[ \t]*=[ \t]*"([-+.0-9][^"\\]*)"')
"""The label `le` itself, not one whose name ends in `le`; inside a quoted value no unescaped quote
precedes a number."""


class Reader:
    """Parses the metrics of these names and the buckets of one classic histogram.

    It reads the text format 0.0.4 and OpenMetrics, which differ only after the value of a sample
    (timestamp, exemplar). One regular expression scans the whole text, so that other metrics cost
    almost nothing: prometheus_client's parser takes twenty times as long for a page of 1,800 lines.
    """

    def __init__(self, names: Iterable[str], histogram: str) -> None:
        self._bucket = f"{histogram}_bucket".encode()
        wanted = b"|".join(re.escape(name.encode()) for name in names)
        self._sample = re.compile(
            rb"^[ \t]*+(%b|%b)(?![\w:])"  # a wanted name, complete
            rb"(?:(?:[ \t]*+\{((?:%b)*+)\}[ \t]*+|[ \t]++)"  # labels, if any
            rb"(\S++))?"  # the value; the rest of the line is ignored
            % (wanted, re.escape(self._bucket), _LABELS),
            re.MULTILINE,
        )

    def read(self, text: bytes) -> dict[Key, float]:
        """The sum over all series of each metric by its name, and of each bucket by its upper
        bound.

        Raises Unusable for a line that cannot be parsed and for a value that is negative, infinite
        or NaN.
        """
        totals: dict[Key, float] = {}
        for name, labels, text_value in self._sample.findall(text):
            value = _quantity(name, text_value)
            key = _bound(labels) if name == self._bucket else name.decode()
            totals[key] = totals.get(key, 0.0) + value
        return totals


def _quantity(name: bytes, text: bytes) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        shown = text[:40].decode(errors="replace") or "no value"
        raise Unusable(f"has {shown} for {name.decode()}, which is not a quantity")
    return value


def _bound(labels: bytes) -> float:
    found = _BOUND.search(labels)
    try:
        return float(found[1] if found else b"")
    except ValueError:
        raise Unusable(f"has a bucket without a bound: {{{labels[:80].decode()}}}") from None


@dataclass(frozen=True, slots=True)
class Scrape:
    at: float
    totals: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The target at one time: its counters as if it were one process that never restarts."""

    at: float
    counters: Mapping[Key, float]
    in_flight: float | None


class TargetCounters:
    """The counters of one target over the last `window` seconds, and at least two snapshots.

    A new pod counts from its second scrape on, since the others carried the load until then. A pod
    that does not respond, or whose counters decreased after a restart, is assumed to do as much as
    the others, so that a lost scrape does not look like lost load; where half of the pods or more
    are silent, nothing is known. The increases of all pods add up to counters of the target, and a
    rate is their slope over the window: what a removed pod completed stays counted. Pure: time is
    an argument.
    """

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


class Pods:
    """Reads the pods whose metrics URLs `addresses` returns."""

    def __init__(
        self,
        addresses: Addresses,
        mapping: SeriesMapping,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._mapping = mapping
        self._clock = clock
        self._http = Fetcher()
        duration = mapping.duration_metric
        of_duration = (f"{duration}_sum", f"{duration}_count")
        names = (mapping.rate_metric, mapping.in_flight_metric, *of_duration)
        self._reader = Reader(names, histogram=duration)
        self._counters: Recent[Target, TargetCounters] = Recent()
        self._pods = SingleFlight(
            self._scrape,
            for_seconds=0.0,
            timeout=POD_TIMEOUT,
            wait=PODS_TIMEOUT,
            max_in_flight=_MAX_PODS_IN_FLIGHT,
            clock=clock,
        )
        self._targets = SingleFlight(
            self._observe,
            for_seconds=SHARED_FOR,
            timeout=TIMEOUT,
            wait=TIMEOUT,
            max_in_flight=_MAX_TARGETS_IN_FLIGHT,
            clock=clock,
        )

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, within `TIMEOUT` seconds."""
        self._counters.sweep(self._clock(), lambda counters: counters.at)
        targets = {ask.target for ask in asks if ask.need.measure is not Measure.QUERY}
        counters = await self._targets.get(targets)
        return {ask: self._reading(ask, counters.get(ask.target)) for ask in asks}

    async def close(self) -> None:
        await self._targets.close()
        await self._pods.close()
        await self._http.close()

    def _reading(self, ask: Ask, counters: TargetCounters | None) -> Reading:
        if ask.need.measure is Measure.QUERY:
            detail = "the source Pods has no PromQL: a Query goal needs Prometheus"
            return Reading(Freshness.ERROR, detail=detail)
        if counters is None:
            target = f"{ask.target.kind} {ask.target.namespace}/{ask.target.name}"
            detail = f"the pods of {target} were not read within {TIMEOUT:g} s"
            return Reading(Freshness.ERROR, detail=detail)
        return counters.reading(ask.need, self._clock())

    async def _observe(self, target: Target) -> TargetCounters:
        results = await self._pods.get(self._addresses(target))
        scrapes = {url: one for url, one in results.items() if isinstance(one, Scrape)}
        why = next(
            (one or f"{url} did not respond" for url, one in results.items() if url not in scrapes),
            "",
        )
        counters = self._counters.setdefault(target, TargetCounters(self._mapping, WINDOW))
        counters.add(self._clock(), tuple(results), scrapes, str(why))
        return counters

    async def _scrape(self, url: str) -> Scrape | str:
        """The metrics of one pod, or a sentence about why there are none."""
        try:
            status, body = await self._http.fetch(url, MAX_BYTES, accept=ACCEPT)
            if status != HTTPStatus.OK:
                return f"{url} returned {status}"
            return Scrape(self._clock(), self._reader.read(body))
        except Unusable as error:
            return f"{url} {error}"
