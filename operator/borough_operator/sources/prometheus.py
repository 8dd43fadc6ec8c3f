"""Readings from Prometheus, or whatever answers its queries: a few questions, however many targets.

Each measure is asked for all targets in one query, and its answer shared by all who ask within two
seconds; beside it goes the age of the newest sample, so that a scrape that stopped is not mistaken
for load that did not change. A Query goal is a question of its own, asked once, however many pose
it.
A value is remembered here only to say how old it is: the series of pods that fell silent are gone
from Prometheus at once, and "stale" must not look like "never seen".
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.answers import NoSeries, Row, Unusable, check, data, quantity, table
from borough_operator.sources.fetching import Fetcher, Unfetched, quoted
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.protocol import Ask
from borough_operator.sources.sharing import FORGET_AFTER, Shared

SHARED_FOR = 2.0
"""Seconds that its answer holds, or a fifth of the window where that is less."""
LARGEST = 8 << 20
"""Bytes of an answer; that of 10,000 targets has one million."""
_FAMILIES_AT_ONCE = 32
_QUERIES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Failure:
    """The end of a sentence that begins with the server's name."""

    words: str


@dataclass(frozen=True, slots=True)
class _Rows:
    """One number for each target, true at a reading of our clock."""

    numbers: Mapping[Row, float]
    at: float


@dataclass(frozen=True, slots=True)
class _Number:
    """What a query answered, None where that was nothing."""

    value: float | None
    at: float


class Prometheus:
    """One server, by its base URL. Raises ValueError where that is none, without quoting it: it may
    hold a password. A query may take `patience_s` seconds.
    """

    def __init__(
        self,
        url: str,
        mapping: SeriesMapping,
        *,
        patience_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = _api(url)
        self._name = f"Prometheus at {self._url.host}:{self._url.port}"
        self._mapping = mapping
        self._patience_s = patience_s
        self._no_answer = _Failure(f"gave no answer within {patience_s:g} s")
        self._clock = clock
        self._http = Fetcher()
        for_seconds = min(SHARED_FOR, mapping.window / 5)
        self._families = Shared(
            self._ask_family,
            for_seconds=for_seconds,
            patience=patience_s,
            wait=patience_s,
            at_once=_FAMILIES_AT_ONCE,
            clock=clock,
        )
        self._queries = Shared(
            self._ask_query,
            for_seconds=for_seconds,
            patience=patience_s,
            wait=patience_s,
            at_once=_QUERIES_AT_ONCE,
            clock=clock,
        )
        self._seen: dict[Ask, tuple[float, float]] = {}
        """The last fresh value of each ask, and when it was true."""
        self._swept = clock()

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, within `patience_s`; of one that hangs, within a moment."""
        self._sweep()
        own = {ask: ask.need.argument for ask in asks if ask.need.measure is Measure.QUERY}
        needs = {ask.need for ask in asks if ask not in own}
        shared = {need: self._questions(need) for need in needs}
        families, queries = await asyncio.gather(
            self._families.get({promql for three in shared.values() for promql in three}),
            self._queries.get(set(own.values())),
        )
        return {
            ask: self._answered(ask, queries[own[ask]])
            if ask in own
            else self._read(ask, [families[promql] for promql in shared[ask.need]])
            for ask in asks
        }

    async def close(self) -> None:
        await asyncio.gather(self._families.close(), self._queries.close())
        await self._http.close()

    # -- What is asked

    def _questions(self, need: Need) -> tuple[str, ...]:
        """For the value, for its age, and for pods that fell silent."""
        mapping = self._mapping
        return mapping.value(need), mapping.age(need.measure), mapping.silent()

    async def _ask_family(self, promql: str) -> _Rows | _Failure:
        at = self._clock()
        labels = self._mapping.namespace_label, self._mapping.workload_label
        try:
            return _Rows(table(await self._data(promql), *labels), at)
        except (Unfetched, Unusable) as error:
            return _Failure(f"{error}; asked for {quoted(promql)}")

    async def _ask_query(self, promql: str) -> _Number | _Failure:
        at = self._clock()
        try:
            return _Number(quantity(await self._data(promql)), at)
        except NoSeries:
            return _Number(None, at)
        except (Unfetched, Unusable) as error:
            return _Failure(f"{error}; asked for {quoted(promql)}")

    async def _data(self, promql: str) -> dict[str, object]:
        form = {"query": promql, "timeout": f"{self._patience_s:g}s"}
        return data(*await self._http.fetch(self._url, LARGEST, form=form))

    # -- What it means

    def _answered(self, ask: Ask, said: _Number | _Failure | None) -> Reading:
        """Of a query. How fresh the series behind it are is in its own hands."""
        if said is None:
            return self._error(
                _Failure(f"{self._no_answer.words}; asked for {quoted(ask.need.argument)}")
            )
        if isinstance(said, _Failure):
            return self._error(said)
        if said.value is None:
            return Reading(
                Freshness.EMPTY, detail=f"{self._name} knows nothing of what the query asks"
            )
        return Reading(Freshness.FRESH, said.value, max(0.0, self._clock() - said.at))

    def _read(self, ask: Ask, said: Sequence[_Rows | _Failure | None]) -> Reading:
        """Of a target's own series, by what was said of all targets."""
        told: list[_Rows] = []
        for rows in said:
            if not isinstance(rows, _Rows):
                return self._error(rows or self._no_answer)
            told.append(rows)
        values, ages, silent = (rows.numbers for rows in told)
        row = ask.target.namespace, ask.target.name
        if row not in ages:
            return self._remembered(ask)
        age = max(0.0, ages[row] + self._clock() - told[1].at)
        return self._judged(ask, values.get(row, math.nan), age, silent.get(row, 0.0))

    def _judged(self, ask: Ask, value: float, age: float, silent: float) -> Reading:
        """Of a target with samples. NaN is what Prometheus says of nothing."""
        if math.isnan(value):
            return Reading(Freshness.EMPTY, detail=self._nothing(ask))
        try:
            check(value)
        except Unusable as error:
            return self._error(_Failure(f"{error} for {self._series(ask)}"))
        if age > self._mapping.window:
            return Reading(Freshness.STALE, value, age, f"no scrape for {age:.0f} s")
        self._seen[ask] = value, self._clock() - age
        if silent:
            detail = f"pods that do not answer Prometheus: {silent:.0f}; their share is missing"
            return Reading(Freshness.STALE, value, age, detail)
        return Reading(Freshness.FRESH, value, age)

    def _remembered(self, ask: Ask) -> Reading:
        """Of a target without series: it fell silent, or was never there."""
        if (seen := self._seen.get(ask)) is None:
            return Reading(Freshness.EMPTY, detail=f"{self._name} knows no {self._series(ask)}")
        value, at = seen
        age = self._clock() - at
        return Reading(
            Freshness.STALE, value, age, f"no pod has answered Prometheus for {age:.0f} s"
        )

    def _nothing(self, ask: Ask) -> str:
        """Why there is no value although there are samples."""
        within = f"within {self._mapping.window:g} s"
        if ask.need.measure in (Measure.DURATION, Measure.QUANTILE):
            return f"no request was answered {within}"
        return f"{self._name} has no two samples {within} of {self._series(ask)}"

    def _series(self, ask: Ask) -> str:
        mapping, target = self._mapping, ask.target
        return (
            f"{mapping.metric(ask.need.measure)}{{{mapping.namespace_label}={target.namespace!r},"
            f" {mapping.workload_label}={target.name!r}}}"
        )

    def _error(self, failure: _Failure) -> Reading:
        return Reading(Freshness.ERROR, detail=f"{self._name} {failure.words}")

    def _sweep(self) -> None:
        """Forget what was true so long ago that Prometheus would not know it either."""
        now = self._clock()
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            seen = self._seen.items()
            self._seen = {ask: last for ask, last in seen if now - last[1] <= FORGET_AFTER}


def _api(url: str) -> URL:
    try:
        base = URL(url)
    except ValueError:
        base = URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise ValueError("the address of Prometheus begins with http:// or https:// and a host")
    return base.with_query(None).with_fragment(None) / "api/v1/query"
