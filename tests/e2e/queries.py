"""Every query of a dashboard as plain PromQL: what Grafana would ask Prometheus, without Grafana.

So any Prometheus with the parts' series in it proves a dashboard: each question goes to its API as
it stands, and must not be answered by silence.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+),\s*(?P<label>\w+)\)")


class Unanswerable(Exception):
    """A query needs a variable without a value, or is of a kind unknown here."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request to Prometheus. `asker` names dashboard, panel and target, for the reader of that
    it failed; `exemplar` says that its panel shows exemplars, so /api/v1/query_exemplars has some
    for `promql` too.
    """

    asker: str
    promql: str
    path: str
    parameters: Mapping[str, str]
    exemplar: bool = False

    @property
    def target(self) -> str:
        """Path and query string, to be put behind the address of a Prometheus."""
        return f"{self.path}?{urlencode(self.parameters)}"


def questions(dashboard: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[Question]:
    """Every variable and every target of a dashboard in Grafana's classic JSON.

    `values` are what its variables stand for: `namespace`, and regular expressions for those of
    which several may be chosen, such as `workload` and `part`; `__rate_interval` and `__range`, as
    durations. Raises Unanswerable.
    """
    title = dashboard["title"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield _variable(f"{title}, variable {variable['name']}", variable["query"], values)
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            asker = f"{title}, {panel['title']}, {target['refId']}"
            promql = filled(target["expr"], values, asker)
            yield Question(
                asker, promql, "/api/v1/query", {"query": promql}, bool(target.get("exemplar"))
            )


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, those of folded rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def has_data(answer: Mapping[str, Any]) -> bool:
    """Whether Prometheus answered a question with at least one value that is a number."""
    if answer["status"] != "success":
        return False
    data = answer["data"]
    if isinstance(data, list):  # the values of a label
        return bool(data)
    return any(not math.isnan(float(series["value"][1])) for series in data["result"])


def filled(text: str, values: Mapping[str, str], asker: str) -> str:
    """The text with every variable replaced. Raises Unanswerable."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise Unanswerable(f"{asker}: ${name} has no value")
        return values[name]

    return VARIABLE.sub(value, text)


def _variable(asker: str, query: str, values: Mapping[str, str]) -> Question:
    found = LABEL_VALUES.fullmatch(query)
    if found is None:
        raise Unanswerable(f"{asker}: {query} is not label_values(SERIES, LABEL)")
    series = filled(found["series"], values, asker)
    return Question(asker, series, f"/api/v1/label/{found['label']}/values", {"match[]": series})
