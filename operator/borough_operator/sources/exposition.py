"""Parses a pod's /metrics, and of it only the few metrics that are needed.

It reads the text format 0.0.4 and OpenMetrics, which differ only after the value of a sample
(timestamp, exemplar). One regular expression scans the whole text, so that other metrics cost
almost nothing.
"""

import math
import re
from collections.abc import Iterable

ACCEPT = "text/plain; version=0.0.4"
"""The simpler of the two formats; a server that has only the other may respond with it."""

Key = str | float
"""The name of a metric, or the upper bound of a bucket."""

_LABELS = rb'[^"}\n]++|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
"""The inside of the braces: label names, or quoted values in which a backslash escapes the next
character."""
_BOUND = re.compile(rb'le(?<!\wle)[ \t]*=[ \t]*"([-+.0-9][^"\\]*)"')
"""The label `le` itself, not one whose name ends in `le`; inside a quoted value no unescaped quote
precedes a number."""


class Malformed(Exception):
    """A metric without a valid value; the message continues a sentence after the URL."""


class Reader:
    """Parses the metrics of these names and the buckets of one classic histogram."""

    def __init__(self, names: Iterable[str], histogram: str) -> None:
        self._bucket = f"{histogram}_bucket".encode()
        wanted = b"|".join(re.escape(name.encode()) for name in names)
        self._sample = re.compile(
            rb"^[ \t]*+(%b|%b)(?![\w:])"  # a wanted name, complete
            rb"(?:(?:[ \t]*+\{((?:%b)*+)\}[ \t]*+|[ \t]++)"  # labels, if any
            rb"(\S++))?"  # the value; the rest of the line is ignored
            % (wanted, re.escape(self._bucket), _LABELS),
            re.MULTILINE,
        )

    def read(self, text: bytes) -> dict[Key, float]:
        """The sum over all series of each metric by its name, and of each bucket by its upper
        bound.

        Raises Malformed for a line that cannot be parsed and for a value that is negative, infinite
        or NaN.
        """
        totals: dict[Key, float] = {}
        for name, labels, text_value in self._sample.findall(text):
            value = _quantity(name, text_value)
            key = _bound(labels) if name == self._bucket else name.decode()
            totals[key] = totals.get(key, 0.0) + value
        return totals


def _quantity(name: bytes, text: bytes) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        shown = text[:40].decode(errors="replace") or "no value"
        raise Malformed(f"has {shown} for {name.decode()}, which is not a quantity")
    return value


def _bound(labels: bytes) -> float:
    found = _BOUND.search(labels)
    try:
        return float(found[1] if found else b"")
    except ValueError:
        raise Malformed(f"has a bucket without a bound: {{{labels[:80].decode()}}}") from None
