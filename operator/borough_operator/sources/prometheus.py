"""The source Prometheus: a few queries, however many targets.

Each measure of all targets is one query, whose result is reused for two seconds; a second query
returns the age of the newest sample, so that a stopped scrape is not read as constant load. A Query
goal is a query of its own, sent once for all scalers that have it. A response with a warning may be
incomplete and is an error.

The last fresh values are kept to report their age: the series of silent pods disappear from query
results at once, and must not read like series that never existed.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from yarl import URL

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.fetching import Fetcher, Recent, SingleFlight, Unusable, quoted
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.protocol import Ask

SHARED_FOR = 2.0
"""Seconds for which a result is reused; a fifth of the window where that is less."""
MAX_BYTES = 8 << 20
"""Maximum bytes of a response; one of 10,000 targets has one million."""
_MAX_FAMILIES_IN_FLIGHT = 32
_MAX_QUERIES_IN_FLIGHT = 16

Found = TypeVar("Found")
Row = tuple[str, str]
"""Namespace and workload."""
Rows = tuple[dict[Row, float], float]
"""One number for each target, and our clock's time of the query."""


def data(status: int, body: bytes) -> dict[str, Any]:
    """The `data` of a query's response. Raises Unusable, with Prometheus's own error
    message if it has one.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unusable(
            f"returned {status} and no JSON" if status != HTTPStatus.OK else "returned no JSON"
        )
    if document.get("status") != "success":
        words = quoted(document.get("error") or "no message")
        raise Unusable(f"returned an error ({status}): {words}")
    found, partial = document.get("data"), document.get("isPartial")  # of VictoriaMetrics
    if warnings := document.get("warnings") or ("the response is partial" if partial else None):
        words = quoted(warnings[0] if isinstance(warnings, list) else warnings)
        raise Unusable(f"returned a warning: {words}")
    if not isinstance(found, dict):
        raise Unusable("returned no data")
    return found


def table(found: dict[str, Any], namespace: str, workload: str) -> dict[Row, float]:
    """A number for each target by its two labels; NaN where Prometheus returns it. Raises
    Unusable.
    """
    try:
        if found["resultType"] != "vector":
            raise Unusable(f"returned a {quoted(found['resultType'])} instead of a vector")
        return {
            (series["metric"].get(namespace, ""), series["metric"].get(workload, "")): float(
                series["value"][1]
            )
            for series in found["result"]
        }
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unusable("returned series without labels and a value") from None


def quantity(found: dict[str, Any]) -> float | None:
    """The one number of a query's result, None where that is empty. Raises Unusable."""
    kind, result = found.get("resultType"), found.get("result")
    if kind not in ("scalar", "vector") or not isinstance(result, list):
        raise Unusable(f"returned a {quoted(kind)}, not a number")
    if kind == "vector":
        if not result:
            return None
        if len(result) > 1:
            raise Unusable(f"returned {len(result)} series where one is needed: use sum()")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    try:
        value = float(result[1])  # type: ignore[index]  # None raises TypeError, handled below
    except (LookupError, TypeError, ValueError):
        raise Unusable("returned a series without a number") from None
    check_quantity(value)
    return value


def check_quantity(value: float) -> None:
    """Raise Unusable for a value that is negative, infinite or NaN."""
    if not math.isfinite(value):
        raise Unusable(f"returned {value:g}".replace("nan", "NaN").replace("inf", "Inf"))
    if value < 0:
        raise Unusable(f"returned the negative value {value:g}")


class Prometheus:
    """One Prometheus server.

    Args: `url` is its base URL, `timeout_s` the limit of a query in seconds. Raises ValueError for
    an invalid URL, without quoting it, since it may hold a password.
    """

    def __init__(
        self,
        url: str,
        mapping: SeriesMapping,
        *,
        timeout_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = _api(url)
        self._name = f"Prometheus at {self._url.host}:{self._url.port}"
        self._mapping = mapping
        self._timeout_s = timeout_s
        self._timed_out = f"did not respond within {timeout_s:g} s"
        self._clock = clock
        self._http = Fetcher()
        for_seconds = min(SHARED_FOR, mapping.window / 5)
        labels = mapping.namespace_label, mapping.workload_label
        self._families = SingleFlight(
            partial(self._fetch, parse=lambda found: table(found, *labels)),
            for_seconds=for_seconds,
            timeout=timeout_s,
            wait=timeout_s,
            max_in_flight=_MAX_FAMILIES_IN_FLIGHT,
            clock=clock,
        )
        self._queries = SingleFlight(
            partial(self._fetch, parse=quantity),
            for_seconds=for_seconds,
            timeout=timeout_s,
            wait=timeout_s,
            max_in_flight=_MAX_QUERIES_IN_FLIGHT,
            clock=clock,
        )
        self._last: Recent[Ask, tuple[float, float]] = Recent()
        """The last fresh value of each ask, and when it was measured."""

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, within `timeout_s` seconds; a query that is known to hang delays
        it by `HANGING_WAIT`.
        """
        self._last.sweep(self._clock(), lambda last: last[1])
        own = {ask: ask.need.argument for ask in asks if ask.need.measure is Measure.QUERY}
        needs = {ask.need for ask in asks if ask not in own}
        shared = {need: self._promql(need) for need in needs}
        families, queries = await asyncio.gather(
            self._families.get({promql for three in shared.values() for promql in three}),
            self._queries.get(set(own.values())),
        )
        return {
            ask: self._query_reading(ask, queries[own[ask]])
            if ask in own
            else self._target_reading(ask, [families[promql] for promql in shared[ask.need]])
            for ask in asks
        }

    async def close(self) -> None:
        await asyncio.gather(self._families.close(), self._queries.close())
        await self._http.close()

    # -- queries

    def _promql(self, need: Need) -> tuple[str, ...]:
        """PromQL for the value, for its age, and for silent pods."""
        mapping = self._mapping
        return mapping.value(need), mapping.age(need.measure), mapping.silent()

    async def _fetch(
        self, promql: str, parse: Callable[[dict[str, Any]], Found]
    ) -> tuple[Found, float] | str:
        """What a query's result holds, and our clock's time of the query; or the rest of a sentence
        that begins with the server's name.
        """
        at, form = self._clock(), {"query": promql, "timeout": f"{self._timeout_s:g}s"}
        try:
            return parse(data(*await self._http.fetch(self._url, MAX_BYTES, form=form))), at
        except Unusable as error:
            return f"{error}; the query was {quoted(promql)}"

    # -- results

    def _query_reading(self, ask: Ask, found: tuple[float | None, float] | str | None) -> Reading:
        """The reading of a Query goal. The age of the series behind it is up to the query."""
        if found is None:
            found = f"{self._timed_out}; the query was {quoted(ask.need.argument)}"
        if isinstance(found, str):
            return self._error(found)
        value, at = found
        if value is None:
            return Reading(Freshness.EMPTY, detail=f"{self._name} returned an empty result")
        return Reading(Freshness.FRESH, value, max(0.0, self._clock() - at))

    def _target_reading(self, ask: Ask, results: Sequence[Rows | str | None]) -> Reading:
        tables: list[Rows] = []
        for rows in results:
            if rows is None or isinstance(rows, str):
                return self._error(rows or self._timed_out)
            tables.append(rows)
        (values, _), (ages, at), (silent, _) = tables
        row = ask.target.namespace, ask.target.name
        if row not in ages:
            return self._without_series(ask)
        age = max(0.0, ages[row] + self._clock() - at)
        return self._fresh_or_stale(ask, values.get(row, math.nan), age, silent.get(row, 0.0))

    def _fresh_or_stale(self, ask: Ask, value: float, age: float, silent: float) -> Reading:
        """The reading of a target with samples. NaN is Prometheus's value where nothing was
        counted.
        """
        if math.isnan(value):
            return Reading(Freshness.EMPTY, detail=self._no_value(ask))
        try:
            check_quantity(value)
        except Unusable as error:
            return self._error(f"{error} for {self._series(ask)}")
        if age > self._mapping.window:
            return Reading(Freshness.STALE, value, age, f"the newest sample is {age:.0f} s old")
        self._last[ask] = value, self._clock() - age
        if silent:
            detail = f"pods that do not respond to scrapes: {silent:.0f}; their share is missing"
            return Reading(Freshness.STALE, value, age, detail)
        return Reading(Freshness.FRESH, value, age)

    def _without_series(self, ask: Ask) -> Reading:
        """The reading of a target without series: stale if it had some, else empty."""
        if (last := self._last.get(ask)) is None:
            detail = f"{self._name} has no series {self._series(ask)}"
            return Reading(Freshness.EMPTY, detail=detail)
        value, at = last
        age = self._clock() - at
        return Reading(Freshness.STALE, value, age, f"no pod responded to a scrape for {age:.0f} s")

    def _no_value(self, ask: Ask) -> str:
        within = f"within {self._mapping.window:g} s"
        if ask.need.measure in (Measure.DURATION, Measure.QUANTILE):
            return f"no request completed {within}"
        return f"{self._name} has fewer than two samples {within} of {self._series(ask)}"

    def _series(self, ask: Ask) -> str:
        mapping, target = self._mapping, ask.target
        return (
            f"{mapping.metric(ask.need.measure)}{{{mapping.namespace_label}={target.namespace!r},"
            f" {mapping.workload_label}={target.name!r}}}"
        )

    def _error(self, failure: str) -> Reading:
        return Reading(Freshness.ERROR, detail=f"{self._name} {failure}")


def _api(url: str) -> URL:
    try:
        base = URL(url)
    except ValueError:
        base = URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise ValueError("the URL of Prometheus must begin with http:// or https:// and a host")
    return base.with_query(None).with_fragment(None) / "api/v1/query"
