"""Moments and durations as Kubernetes writes them, and as we reckon: Unix time and seconds.

A file of its own because decision and kube both need it, and a decision imports nothing of kube.
"""

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"(?:\d{1,6}(?:ms|s|m|h))+")
_PART = re.compile(r"(\d+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(duration: str) -> float:
    """Seconds of a duration such as "250ms" or "1m30s". Raises ValueError."""
    if _DURATION.fullmatch(duration) is None:
        raise ValueError(f"{duration!r} is no duration such as 250ms or 1m30s")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


def moment_of(text: str) -> float:
    """Unix time of an RFC 3339 time. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  # it names no zone either, and is refused below
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} is no RFC 3339 time such as 2026-11-23T08:30:00Z")
    return moment.timestamp()


def text_of(moment: float) -> str:
    """An RFC 3339 time in UTC, to the second begun, as metav1.Time has it."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
