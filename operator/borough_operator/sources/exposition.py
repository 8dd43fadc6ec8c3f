"""What a pod tells on /metrics: of all that, only the few numbers that are asked for.

It reads the text format 0.0.4 and OpenMetrics alike, since they differ only beyond the value of a
sample: a timestamp, an exemplar. One regular expression runs over the whole text, so that what is
not asked for costs next to nothing.
"""

import math
import re
from collections.abc import Iterable

ACCEPT = "text/plain; version=0.0.4"
"""The simpler of the two formats; whoever knows only the other may answer in it."""

Key = str | float
"""The name of a metric, or the upper bound of a bucket."""

_LABELS = rb'[^"}\n]++|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
"""What stands between braces: names, or a value, in which a backslash takes a quote along."""
_BOUND = re.compile(rb'le(?<!\wle)[ \t]*=[ \t]*"([-+.0-9][^"\\]*)"')
"""A label's name, not the end of one; inside a value no quote stands bare before a number."""


class Malformed(Exception):
    """A text that tells no quantity where it should; the message goes on where the name of whoever
    told it ended.
    """


class Reader:
    """Reads the metrics of these names, and the buckets of a classic histogram."""

    def __init__(self, names: Iterable[str], histogram: str) -> None:
        self._bucket = f"{histogram}_bucket".encode()
        wanted = b"|".join(re.escape(name.encode()) for name in names)
        self._sample = re.compile(
            rb"^[ \t]*+(%b|%b)(?![\w:])"  # a name of ours, and no longer one
            rb"(?:(?:[ \t]*+\{((?:%b)*+)\}[ \t]*+|[ \t]++)"  # labels, or none
            rb"(\S++))?"  # the value; what follows it is not asked for
            % (wanted, re.escape(self._bucket), _LABELS),
            re.MULTILINE,
        )

    def read(self, text: bytes) -> dict[Key, float]:
        """The sum over all series of each metric that is there, and of each bucket by its bound.

        Raises Malformed for a line that cannot be read and for a value that is no quantity: one
        that is negative, infinite or NaN.
        """
        totals: dict[Key, float] = {}
        for name, labels, told in self._sample.findall(text):
            value = _quantity(name, told)
            key = _bound(labels) if name == self._bucket else name.decode()
            totals[key] = totals.get(key, 0.0) + value
        return totals


def _quantity(name: bytes, told: bytes) -> float:
    try:
        value = float(told)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        said = told[:40].decode(errors="replace") or "no value"
        raise Malformed(f"tells {said} for {name.decode()}, which is no quantity")
    return value


def _bound(labels: bytes) -> float:
    found = _BOUND.search(labels)
    try:
        return float(found[1] if found else b"")
    except ValueError:
        raise Malformed(f"tells a bucket without a bound: {{{labels[:80].decode()}}}") from None
