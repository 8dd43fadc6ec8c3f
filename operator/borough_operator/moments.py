"""Times and durations as Kubernetes writes them, and as Unix time and seconds.

A file of its own because decision and kube both need it, and a decision imports nothing of kube.
"""

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"(?:\d{1,6}(?:ms|s|m|h))+")
_PART = re.compile(r"(\d+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(duration: str) -> float:
    """Seconds of a duration such as "250ms" or "1m30s". Raises ValueError."""
    if _DURATION.fullmatch(duration) is None:
        raise ValueError(f"{duration!r} is not a duration such as 250ms or 1m30s")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


def parse_time(text: str) -> float:
    """Unix time of an RFC 3339 time. Raises ValueError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min  # noqa: DTZ901  # without a zone it is refused below
    if time.tzinfo is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time such as 2026-11-23T08:30:00Z")
    return time.timestamp()


def format_time(time: float) -> str:
    """An RFC 3339 time in UTC, truncated to the second, as in metav1.Time."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
