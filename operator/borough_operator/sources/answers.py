"""What an answer of Prometheus says: a table of all targets, one quantity, or why it is neither.

Pure. An answer that comes with a warning may lack a part of what there is, and is none. Reading one
of 10,000 series (1 MB) takes 16 ms, most of it in the JSON library.
"""

import json
import math
from typing import Any

from borough_operator.sources.fetching import quoted

Row = tuple[str, str]
"""Namespace and workload."""

_OK = 200


class Unusable(Exception):
    """An answer that tells no quantity; the message goes on where the server's name ended."""


class NoSeries(Exception):
    """An answer that is well, and empty."""


def data(status: int, body: bytes) -> dict[str, Any]:
    """The data of a query's answer. Raises Unusable, with Prometheus's own words if it has any."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unusable(f"answers {status} and no JSON" if status != _OK else "answers no JSON")
    if document.get("status") != "success":
        words = quoted(document.get("error") or "no reason given")
        raise Unusable(f"refuses ({status}): {words}")
    found, partial = document.get("data"), document.get("isPartial")  # VictoriaMetrics says it so
    if warnings := document.get("warnings") or ("the answer is partial" if partial else None):
        words = quoted(warnings[0] if isinstance(warnings, list) else warnings)
        raise Unusable(f"answers with a warning: {words}")
    if not isinstance(found, dict):
        raise Unusable("answers without data")
    return found


def table(found: dict[str, Any], namespace: str, workload: str) -> dict[Row, float]:
    """A number for each target, by its two labels; NaN among them where Prometheus says so. Raises
    Unusable.
    """
    try:
        if found["resultType"] != "vector":
            raise Unusable(f"answers a {quoted(found['resultType'])} instead of a vector")
        return {
            (series["metric"].get(namespace, ""), series["metric"].get(workload, "")): float(
                series["value"][1]
            )
            for series in found["result"]
        }
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unusable("answers series without labels and a value") from None


def quantity(found: dict[str, Any]) -> float:
    """The one number that a query answers. Raises Unusable, or NoSeries where there is none."""
    kind, result = found.get("resultType"), found.get("result")
    if kind not in ("scalar", "vector") or not isinstance(result, list):
        raise Unusable(f"answers a {quoted(kind)}, not a number")
    if kind == "vector":
        if not result:
            raise NoSeries
        if len(result) > 1:
            raise Unusable(f"answers {len(result)} series where one is needed: sum() makes one")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    try:
        value = float(result[1])  # type: ignore[index]  # what is not there is refused like the rest
    except (LookupError, TypeError, ValueError):
        raise Unusable("answers a series without a number") from None
    check(value)
    return value


def check(value: float) -> None:
    """Raises Unusable for what is no quantity."""
    if not math.isfinite(value):
        raise Unusable(f"answers {value:g}".replace("nan", "NaN").replace("inf", "Inf"))
    if value < 0:
        raise Unusable(f"answers {value:g}, and no quantity is negative")
