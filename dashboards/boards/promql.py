"""Builds PromQL from signals, and refuses queries that do not fit the signal.

A renamed metric breaks the import of a dashboard instead of emptying its panels. A label that a
metric does not have, the rate of a gauge and the quantile of a counter are refused when a dashboard
is built. Series of several pods are always aggregated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from borough_operator.running import signals as operators
from borough_telemetry import signals as parts

Signal = parts.Signal | operators.Signal
Kind = Literal["counter", "gauge", "histogram"]
"""The kinds with values over time; an info has labels only."""

PLACE = ("namespace", "workload", "part")
"""The labels that Prometheus adds to every series of a part: namespace, Deployment and part. Each
is also the name of a dashboard variable."""
VARIABLES = {
    "namespace": '="$namespace"', "workload": '=~"$workload"', "part": '=~"$part"',
    "scaler": '=~"$scaler"',
}  # fmt: skip  # a table
"""The matcher of each variable: one namespace is selected, of the others there may be several."""
RATE = "$__rate_interval"
SHOWN = "$__range"
"""Grafana's variables: a window with at least a few scrapes, and the selected time range."""

Where = Mapping[str, str]
"""Matchers by label, operator included: {"http_response_status_code": '=~"5.."'}."""
ANYWHERE: Where = MappingProxyType({})


class InvalidQuery(Exception):
    """The query does not fit the signal; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The series of a dashboard: those that its variables select.

    Args: `by` of every query are the labels that separate series; `where` are further matchers.
    """

    variables: tuple[str, ...]

    def per_second(
        self,
        signal: Signal,
        *by: str,
        where: Where = ANYWHERE,
        of: Literal["count", "sum"] = "count",
    ) -> str:
        """The rate of a counter per second; of a histogram, of its observations or of their sum."""
        return _together("sum", by, f"rate({self._counted(signal, of, where, by)}[{RATE}])")

    def within_range(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """The increase of a counter, or of a histogram's observations, over the selected time
        range.
        """
        return _together(
            "sum", by, f"increase({self._counted(signal, 'count', where, by)}[{SHOWN}])"
        )

    def now(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """The sum of a gauge."""
        _must_be(signal, "gauge")
        return _together("sum", by, self.series(signal, "", where, by))

    def mean(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """The mean of a gauge; of a gauge of zeros and ones, the share of ones."""
        _must_be(signal, "gauge")
        return _together("avg", by, self.series(signal, "", where, by))

    def which(self, signal: Signal, label: str, values: Iterable[str], *by: str) -> str:
        """The state of an enumerated gauge, which has a series for the current value of `label`
        only: the number of that value in `values`, from 1.
        """
        _must_be(signal, "gauge")
        series = (self.series(signal, where={label: f'="{value}"'}, by=by) for value in values)
        terms = (f"{number} * {each}" for number, each in enumerate(series, start=1))
        return _together("max", by, " or ".join(terms))

    def quantile(self, quantile: float, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """The quantile of a histogram's observations."""
        _must_be(signal, "histogram")
        rate = f"rate({self.series(signal, '_bucket', where, by)}[{RATE}])"
        return f"histogram_quantile({quantile}, {_together('sum', (*by, 'le'), rate)})"

    def series(
        self, signal: Signal, suffix: str = "", where: Where = ANYWHERE, by: Iterable[str] = ()
    ) -> str:
        """The selector, as in the query of a variable."""
        known = {*signal.labels, *PLACE}
        if unknown := sorted({*where, *by} - known):
            raise InvalidQuery(f"{signal.name} has no label {', '.join(unknown)}")
        matchers = {name: VARIABLES[name] for name in self.variables} | dict(where)
        inside = ", ".join(label + matcher for label, matcher in matchers.items())
        return f"{signal.series}{suffix}{{{inside}}}"

    def _counted(self, signal: Signal, of: str, where: Where, by: Iterable[str]) -> str:
        _must_be(signal, "counter", "histogram")
        return self.series(signal, f"_{of}" if signal.kind == "histogram" else "", where, by)


def share(some: str, of: str) -> str:
    """The ratio of two sums with the same labels: 0 where the first has no series, none where the
    second is 0.
    """
    return f"({some} or 0 * {of}) / ({of} > 0)"


def _together(how: str, by: Iterable[str], inner: str) -> str:
    labels = ", ".join(by)
    return f"{how} by ({labels}) ({inner})" if labels else f"{how}({inner})"


def _must_be(signal: Signal, *kinds: Kind) -> None:
    if signal.kind not in kinds:
        raise InvalidQuery(f"{signal.name} is a {signal.kind}, not a {' or a '.join(kinds)}")
