"""PromQL out of signals: what a signal is decides what may be asked of it.

A metric that is renamed breaks the import of a board instead of emptying its panels. A label that a
metric does not have, the rate of a gauge and the quantile of a counter are refused when a board is
built. Series of several pods are always summed: no query tells one pod from another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from borough_operator.running import signals as operators
from borough_telemetry import signals as parts

Signal = parts.Signal | operators.Signal
Kind = Literal["counter", "gauge", "histogram"]
"""What can be asked for over time: an info only names things."""

PLACE = ("namespace", "workload", "part")
"""The labels our Prometheus adds to every series of a part: where it runs, its Deployment, its
name. Each is also the name of a variable of a board.
"""
CHOSEN = {
    "namespace": '="$namespace"', "workload": '=~"$workload"', "part": '=~"$part"',
    "scaler": '=~"$scaler"',
}  # fmt: skip  # one glance
"""What each variable says of its label: there is one namespace, of the others there may be more."""
RATE = "$__rate_interval"
SHOWN = "$__range"
"""Of Grafana: a window that always holds a few scrapes, and the whole time a board shows."""

Where = Mapping[str, str]
"""Matchers by label, with their operators: {"http_response_status_code": '=~"5.."'}."""
ANYWHERE: Where = MappingProxyType({})


class WrongQuestion(Exception):
    """A signal cannot be asked this; the message names it and says why not."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The series a board is about: those its variables choose. `by` of every question are the
    labels whose values get a series each; `where` narrows.
    """

    variables: tuple[str, ...]

    def per_second(
        self,
        signal: Signal,
        *by: str,
        where: Where = ANYWHERE,
        of: Literal["count", "sum"] = "count",
    ) -> str:
        """What a counter counts in a second; of a histogram, how many observations it gets, or
        their sum.
        """
        return self._sum(by, f"rate({self._counted(signal, of, where, by)}[{RATE}])")

    def within_range(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """What a counter, or a histogram, counted over the whole time that is shown."""
        return self._sum(by, f"increase({self._counted(signal, 'count', where, by)}[{SHOWN}])")

    def now(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """What a gauge shows."""
        _must_be(signal, "gauge")
        return self._sum(by, self.series(signal, "", where, by))

    def mean(self, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """What a gauge shows on average over whatever is not told apart; of a gauge of noughts and
        ones, the share of ones.
        """
        _must_be(signal, "gauge")
        return _together("avg", by, self.series(signal, "", where, by))

    def which(self, signal: Signal, label: str, values: Iterable[str], *by: str) -> str:
        """Which of these values a label has that only the one in force is told with: its number in
        their order, from 1.
        """
        _must_be(signal, "gauge")
        matchers = ({label: f'="{value}"'} for value in values)
        told = (
            f"{number} * {self.series(signal, where=where, by=by)}"
            for number, where in enumerate(matchers, start=1)
        )
        return _together("max", by, " or ".join(told))

    def quantile(self, quantile: float, signal: Signal, *by: str, where: Where = ANYWHERE) -> str:
        """The value that this share of the observations of a histogram do not exceed."""
        _must_be(signal, "histogram")
        buckets = self._sum(
            (*by, "le"), f"rate({self.series(signal, '_bucket', where, by)}[{RATE}])"
        )
        return f"histogram_quantile({quantile}, {buckets})"

    def series(
        self, signal: Signal, suffix: str = "", where: Where = ANYWHERE, by: Iterable[str] = ()
    ) -> str:
        """The selector itself, as a variable asks for it."""
        known = {*signal.labels, *PLACE}
        if unknown := sorted({*where, *by} - known):
            raise WrongQuestion(f"{signal.name} has no label {', '.join(unknown)}")
        matchers = {name: CHOSEN[name] for name in self.variables} | dict(where)
        inside = ", ".join(label + matcher for label, matcher in matchers.items())
        return f"{signal.series}{suffix}{{{inside}}}"

    def _counted(self, signal: Signal, of: str, where: Where, by: Iterable[str]) -> str:
        _must_be(signal, "counter", "histogram")
        return self.series(signal, f"_{of}" if signal.kind == "histogram" else "", where, by)

    @staticmethod
    def _sum(by: Iterable[str], inner: str) -> str:
        return _together("sum", by, inner)


def share(some: str, of: str) -> str:
    """The share of one sum in the other, which has the same labels; 0 where the first says nothing,
    and nothing where there is nothing to have a share in.
    """
    return f"({some} or 0 * {of}) / ({of} > 0)"


def _together(how: str, by: Iterable[str], inner: str) -> str:
    labels = ", ".join(by)
    return f"{how} by ({labels}) ({inner})" if labels else f"{how}({inner})"


def _must_be(signal: Signal, *kinds: Kind) -> None:
    if signal.kind not in kinds:
        raise WrongQuestion(f"{signal.name} is a {signal.kind}, not a {' or a '.join(kinds)}")
