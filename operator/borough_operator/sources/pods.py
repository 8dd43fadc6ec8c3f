"""Readings from the pods themselves: as fast as they are asked, with no Prometheus anywhere.

All ready pods of a target are asked at once for what they count, and what they did since they were
asked last is the reading. A pod that does not answer within a second counts as silent; how far the
others speak for it, `tracks` knows.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from borough_operator.decision.model import Freshness, Measure, Reading
from borough_operator.sources.exposition import ACCEPT, Malformed, Reader
from borough_operator.sources.fetching import Fetcher, Unfetched
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.protocol import Ask, Target
from borough_operator.sources.sharing import FORGET_AFTER, Shared
from borough_operator.sources.tracks import Told, Track

Addresses = Callable[[Target], Sequence[str]]
"""The URLs of /metrics of a target's ready pods, whatever their template: all of them bear load."""

WINDOW = 6.0
"""Seconds that a value is taken over, or one look where they are further apart. Knative's panic
window: long enough to average, short enough to notice a step at the second look."""
PATIENCE = 3.0
"""Seconds that a target may take."""
LOOK_PATIENCE = 2.5
"""Seconds that all its pods may take, turns included; those of one that hangs, a moment."""
POD_PATIENCE = 1.0
"""Seconds that one pod may take."""
SHARED_FOR = 0.5
"""Seconds that what the pods of a target told holds."""
LARGEST = 4 << 20
"""Bytes of what one pod tells."""
_TARGETS_AT_ONCE = 256
_PODS_AT_ONCE = 64
_OK = 200


class Pods:
    """The pods that `addresses` finds."""

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
        self._tracks: dict[Target, Track] = {}
        self._swept = clock()
        self._pods = Shared(
            self._ask,
            for_seconds=0.0,
            patience=POD_PATIENCE,
            wait=LOOK_PATIENCE,
            at_once=_PODS_AT_ONCE,
            clock=clock,
        )
        self._looks = Shared(
            self._look,
            for_seconds=SHARED_FOR,
            patience=PATIENCE,
            wait=PATIENCE,
            at_once=_TARGETS_AT_ONCE,
            clock=clock,
        )

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, within PATIENCE seconds."""
        self._sweep()
        targets = {ask.target for ask in asks if ask.need.measure is not Measure.QUERY}
        tracks = await self._looks.get(targets)
        return {ask: self._reading(ask, tracks.get(ask.target)) for ask in asks}

    async def close(self) -> None:
        await self._looks.close()
        await self._pods.close()
        await self._http.close()

    def _reading(self, ask: Ask, track: Track | None) -> Reading:
        if ask.need.measure is Measure.QUERY:
            return Reading(
                Freshness.ERROR, detail="pods answer no PromQL: a Query goal needs Prometheus"
            )
        if track is None:
            target = f"{ask.target.kind} {ask.target.namespace}/{ask.target.name}"
            detail = f"the pods of {target} told nothing within {PATIENCE:g} s"
            return Reading(Freshness.ERROR, detail=detail)
        return track.reading(ask.need, self._clock())

    async def _look(self, target: Target) -> Track:
        """Ask all pods, and take in what they told."""
        said = await self._pods.get(self._addresses(target))
        told = {url: one for url, one in said.items() if isinstance(one, Told)}
        why = next(
            (one or f"{url} gave no answer" for url, one in said.items() if url not in told), ""
        )
        track = self._tracks.setdefault(target, Track(self._mapping, WINDOW))
        track.look(self._clock(), tuple(said), told, str(why))
        return track

    async def _ask(self, url: str) -> Told | str:
        """What one pod tells, or a sentence about why it does not."""
        try:
            status, body = await self._http.fetch(url, LARGEST, accept=ACCEPT)
            if status != _OK:
                return f"{url} answers {status}"
            return Told(self._clock(), self._reader.read(body))
        except (Unfetched, Malformed) as error:
            return f"{url} {error}"

    def _sweep(self) -> None:
        """Forget targets that nobody asks about."""
        now = self._clock()
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            tracks = self._tracks.items()
            self._tracks = {to: track for to, track in tracks if now - track.at <= FORGET_AFTER}
