"""What a PromQL expression asks for, read off its text: enough for our own queries, no parser.

Whether an expression is PromQL at all is promtool's to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from boards.promql import Signal
from borough_operator.running import signals as operators
from borough_shop.app import APP
from borough_telemetry.signals import OWN, PROCESS

EVERY = (*OWN, *APP.signals)

SELECTOR = re.compile(
    r"(?:(?P<function>\w+)\()?(?P<metric>[a-z_]\w*)\{(?P<matchers>[^}]*)\}(?:\[(?P<window>[^\]]*)\])?"
)
MATCHER = re.compile(r'(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>[^"]*)"')
GROUPS = re.compile(r"\b(?:by|without)\s*\((?P<labels>[^)]*)\)")
QUANTILE = re.compile(r"histogram_quantile\([\d.]+, sum by \([^)]*\ble\) \(rate\((\w+)\{")


@dataclass(frozen=True, slots=True)
class Selector:
    """Series that are asked for. `function` is what they are handed to, `window` their range."""

    metric: str
    matchers: dict[str, str]
    function: str
    window: str | None


def selectors(promql: str) -> Iterator[Selector]:
    """Every selector of an expression."""
    for found in SELECTOR.finditer(promql):
        matchers = {
            m["label"]: m["operator"] + m["value"] for m in MATCHER.finditer(found["matchers"])
        }
        yield Selector(found["metric"], matchers, found["function"] or "", found["window"])


def grouped(promql: str) -> set[str]:
    """The labels anything is summed by."""
    return {
        label.strip() for found in GROUPS.finditer(promql) for label in found["labels"].split(",")
    }


def bare_words(promql: str) -> set[str]:
    """Names beside selectors, groups and texts: functions, operators, metrics without braces."""
    rest = GROUPS.sub(" ", SELECTOR.sub(lambda found: found["function"] or " ", promql))
    return set(re.findall(r"[a-zA-Z_]\w*", re.sub(r'"[^"]*"|\$\w+', " ", rest)))


def catalogue() -> dict[str, tuple[Signal, str]]:
    """Every name a query may use: the signal, and what the series is: counter, gauge or bucket."""
    known: dict[str, tuple[Signal, str]] = {}
    every: tuple[Signal, ...] = (*EVERY, *PROCESS, *operators.ALL)
    for signal in every:
        if signal.kind == "histogram":
            known |= {f"{signal.name}_{end}": (signal, "counter") for end in ("count", "sum")}
            known[f"{signal.name}_bucket"] = signal, "bucket"
        else:
            known[signal.series] = signal, "counter" if signal.kind == "counter" else "gauge"
    return known
