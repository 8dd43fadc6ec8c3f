"""The windows of past seconds that each way of measuring provides.

All quantities are of all pods together and come from counters: the mean of a window is the
difference of two sums by its length. `now` is the first second that has not happened yet.
"""

import math
import random
from dataclasses import dataclass

from borough_operator.simulator.pods import CpuPath, DirectPath, PrometheusPath
from borough_operator.simulator.timeline import Record

_SEEDED = random.Random(6)  # noqa: S311  # reproducible, not cryptography
NOISE = tuple(_SEEDED.gauss(0.0, 1.0) for _ in range(997))
"""Standard normal deviations of a gauge, by second."""


@dataclass(frozen=True, slots=True)
class Window:
    """The seconds between two readings of counters."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Its length in seconds."""
        return self.end - self.start


def cpu(path: CpuPath, now: int) -> Window | None:
    """The window of the newest CPU usage: between the kubelet's samples at the last two scrapes of
    metrics-server. None before there are two.
    """
    scrape = now - path.age_s
    end, start = _floor(scrape, path.kubelet_s), _floor(scrape - path.scrape_s, path.kubelet_s)
    return Window(start, end) if start >= 0 else None


def prometheus(path: PrometheusPath, now: int, seconds: int) -> Window | None:
    """The window between the oldest and the newest scrape of the last `seconds`, as of `rate()`."""
    whole = _floor(seconds - path.age_s, path.scrape_s)
    return _back(now - path.age_s, whole)


def direct(path: DirectPath, now: int, seconds: int) -> Window | None:
    """The last `seconds`, read from the pods."""
    return _back(now - path.age_s, seconds)


def rate(record: Record, window: Window) -> float:
    """Completed requests per second. Waiting requests are in no counter."""
    return (record.served[window.end] - record.served[window.start]) / window.length


def in_flight(record: Record, window: Window) -> float:
    """Requests in flight or waiting, on average."""
    return (record.in_flight[window.end] - record.in_flight[window.start]) / window.length


def gauge(record: Record, window: Window, every: int) -> float:
    """Requests in flight as a gauge shows them that is read every so many seconds: the mean of a
    few readings with Poisson noise.
    """
    readings = range(window.end, window.start - 1, -every)
    return sum(_reading(record, second) for second in readings) / len(readings)


def _reading(record: Record, second: int) -> float:
    """One reading: the mean with Poisson noise, without which a gauge would be too accurate."""
    mean = record.in_flight[second] - record.in_flight[max(0, second - 1)]
    return max(0.0, mean + math.sqrt(mean) * NOISE[second % len(NOISE)])


def busy(record: Record, window: Window) -> float:
    """Share of time for which a ready pod was busy."""
    return (record.busy[window.end] - record.busy[window.start]) / window.length


def _back(end: int, seconds: int) -> Window | None:
    return Window(end - seconds, end) if end >= seconds else None


def _floor(second: int, step: int) -> int:
    return second // step * step
