"""The source Pods: scrapes the target's pods itself, without Prometheus.

All ready pods of a target are scraped at once; a reading is what their counters gained since
earlier scrapes. A pod that does not respond within `POD_TIMEOUT` counts as silent; `counters`
extrapolates from the others.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from borough_operator.decision.model import Freshness, Measure, Reading
from borough_operator.sources.counters import Scrape, TargetCounters
from borough_operator.sources.exposition import ACCEPT, Malformed, Reader
from borough_operator.sources.fetching import Fetcher, FetchFailed
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.protocol import Ask, Target
from borough_operator.sources.sharing import FORGET_AFTER, SingleFlight

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
_OK = 200


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
        names = (
            mapping.rate_metric,
            mapping.in_flight_metric,
            f"{duration}_sum",
            f"{duration}_count",
        )
        self._reader = Reader(names, histogram=duration)
        self._counters: dict[Target, TargetCounters] = {}
        self._swept = clock()
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
        self._sweep()
        targets = {ask.target for ask in asks if ask.need.measure is not Measure.QUERY}
        counters = await self._targets.get(targets)
        return {ask: self._reading(ask, counters.get(ask.target)) for ask in asks}

    async def close(self) -> None:
        await self._targets.close()
        await self._pods.close()
        await self._http.close()

    def _reading(self, ask: Ask, counters: TargetCounters | None) -> Reading:
        if ask.need.measure is Measure.QUERY:
            return Reading(
                Freshness.ERROR,
                detail="the source Pods has no PromQL: a Query goal needs Prometheus",
            )
        if counters is None:
            target = f"{ask.target.kind} {ask.target.namespace}/{ask.target.name}"
            detail = f"the pods of {target} were not read within {TIMEOUT:g} s"
            return Reading(Freshness.ERROR, detail=detail)
        return counters.reading(ask.need, self._clock())

    async def _observe(self, target: Target) -> TargetCounters:
        """Scrape all pods of the target and add the result to its counters."""
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
            if status != _OK:
                return f"{url} returned {status}"
            return Scrape(self._clock(), self._reader.read(body))
        except (FetchFailed, Malformed) as error:
            return f"{url} {error}"

    def _sweep(self) -> None:
        """Drop targets that were not read for `FORGET_AFTER` seconds."""
        now = self._clock()
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            known = self._counters.items()
            self._counters = {to: each for to, each in known if now - each.at <= FORGET_AFTER}
