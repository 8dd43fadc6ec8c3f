"""What each way of measuring knows at a moment: never the present, and never more than it carries.

All quantities are of the pods as a whole and come from counters, so a window's mean is the
difference of two sums over its length. `now` is the second that has not happened yet.
"""

import math
import random
from dataclasses import dataclass

from borough_operator.simulator.pods import CpuPath, DirectPath, PrometheusPath
from borough_operator.simulator.timeline import Record

_SEEDED = random.Random(6)  # noqa: S311  # the same for everybody, no secret
CHANCE = tuple(_SEEDED.gauss(0.0, 1.0) for _ in range(997))
"""A gauge's luck, second by second."""


@dataclass(frozen=True, slots=True)
class Window:
    """From one reading of the counters to the next, in seconds of the simulation."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Seconds in it."""
        return self.end - self.start


def cpu(path: CpuPath, now: int) -> Window | None:
    """The window of the newest CPU usage: between what the kubelet had measured at the last two
    scrapes of metrics-server. None before there were two.
    """
    scrape = now - path.before_look_s
    end, start = _floor(scrape, path.kubelet_s), _floor(scrape - path.scrape_s, path.kubelet_s)
    return Window(start, end) if start >= 0 else None


def prometheus(path: PrometheusPath, now: int, seconds: int) -> Window | None:
    """The window between the oldest and the newest scrape of the last `seconds`, as `rate()`."""
    whole = _floor(seconds - path.before_look_s, path.scrape_s)
    return _back(now - path.before_look_s, whole)


def direct(path: DirectPath, now: int, seconds: int) -> Window | None:
    """The last `seconds`, as the pods themselves told it."""
    return _back(now - path.before_look_s, seconds)


def rate(record: Record, window: Window) -> float:
    """Requests answered a second. What waits unanswered is in no counter."""
    return (record.served[window.end] - record.served[window.start]) / window.length


def in_flight(record: Record, window: Window) -> float:
    """Requests being answered or waiting, on average."""
    return (record.in_flight[window.end] - record.in_flight[window.start]) / window.length


def gauge(record: Record, window: Window, every: int) -> float:
    """Requests being answered, as a gauge tells it that is looked at every so many seconds: the
    mean of a few moments, each of them off by chance.
    """
    looks = range(window.end, window.start - 1, -every)
    return sum(_moment(record, second) for second in looks) / len(looks)


def _moment(record: Record, second: int) -> float:
    """One look: Poisson's spread about the mean, without which a gauge would be too good."""
    mean = record.in_flight[second] - record.in_flight[max(0, second - 1)]
    return max(0.0, mean + math.sqrt(mean) * CHANCE[second % len(CHANCE)])


def busy(record: Record, window: Window) -> float:
    """Share of its time that a ready pod was busy."""
    return (record.busy[window.end] - record.busy[window.start]) / window.length


def _back(end: int, seconds: int) -> Window | None:
    return Window(end - seconds, end) if end >= seconds else None


def _floor(second: int, step: int) -> int:
    return second // step * step
