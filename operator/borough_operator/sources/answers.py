"""Parses Prometheus's responses: a table of all targets, one number, or why it is neither.

Pure. A response with a warning may be incomplete and is an error. Parsing 10,000 series (1 MB)
takes 16 ms, most of it in the JSON library.
"""

import json
import math
from typing import Any

from borough_operator.sources.fetching import quoted

Row = tuple[str, str]
"""Namespace and workload."""

_OK = 200


class UnusableResponse(Exception):
    """A response without a value; the message continues a sentence after the server's name."""


class NoSeries(Exception):
    """A valid response with an empty result."""


def data(status: int, body: bytes) -> dict[str, Any]:
    """The `data` of a query's response. Raises UnusableResponse, with Prometheus's own error
    message if it has one.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnusableResponse(
            f"returned {status} and no JSON" if status != _OK else "returned no JSON"
        )
    if document.get("status") != "success":
        words = quoted(document.get("error") or "no message")
        raise UnusableResponse(f"returned an error ({status}): {words}")
    found, partial = document.get("data"), document.get("isPartial")  # of VictoriaMetrics
    if warnings := document.get("warnings") or ("the response is partial" if partial else None):
        words = quoted(warnings[0] if isinstance(warnings, list) else warnings)
        raise UnusableResponse(f"returned a warning: {words}")
    if not isinstance(found, dict):
        raise UnusableResponse("returned no data")
    return found


def table(found: dict[str, Any], namespace: str, workload: str) -> dict[Row, float]:
    """A number for each target by its two labels; NaN where Prometheus returns it. Raises
    UnusableResponse.
    """
    try:
        if found["resultType"] != "vector":
            raise UnusableResponse(f"returned a {quoted(found['resultType'])} instead of a vector")
        return {
            (series["metric"].get(namespace, ""), series["metric"].get(workload, "")): float(
                series["value"][1]
            )
            for series in found["result"]
        }
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UnusableResponse("returned series without labels and a value") from None


def quantity(found: dict[str, Any]) -> float:
    """The one number of a query's result. Raises UnusableResponse, or NoSeries where the result is
    empty.
    """
    kind, result = found.get("resultType"), found.get("result")
    if kind not in ("scalar", "vector") or not isinstance(result, list):
        raise UnusableResponse(f"returned a {quoted(kind)}, not a number")
    if kind == "vector":
        if not result:
            raise NoSeries
        if len(result) > 1:
            raise UnusableResponse(f"returned {len(result)} series where one is needed: use sum()")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    try:
        value = float(result[1])  # type: ignore[index]  # None raises TypeError, handled below
    except (LookupError, TypeError, ValueError):
        raise UnusableResponse("returned a series without a number") from None
    check_quantity(value)
    return value


def check_quantity(value: float) -> None:
    """Raise UnusableResponse for a value that is negative, infinite or NaN."""
    if not math.isfinite(value):
        raise UnusableResponse(f"returned {value:g}".replace("nan", "NaN").replace("inf", "Inf"))
    if value < 0:
        raise UnusableResponse(f"returned the negative value {value:g}")
