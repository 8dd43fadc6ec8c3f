"""Runs one autoscaler on one load, second by second: replicas requested, pods ready, latency.

An autoscaler is evaluated at its own period and sees only the windows of past seconds that its way
of measuring provides: `cpu`, `prometheus` or `direct`. Their quantities are of all pods together
and come from counters, except `gauge`. Requested pods are ready after the model's start-up time;
pods are removed at once, starting ones first and then the newest, as a ReplicaSet does. A pod is
paid for from its request to its removal.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from borough_operator.simulator.station import Model, Path, Second, Station

WARM_UP = 600
"""Seconds at the mean load of the trace's first minute that precede the trace and are not scored,
so that all windows are full and a cold start is not counted."""
_SEEDED = random.Random(6)  # noqa: S311  # reproducible, not cryptography
NOISE = tuple(_SEEDED.gauss(0.0, 1.0) for _ in range(997))
"""Standard normal deviations of a gauge, by second."""


@dataclass(slots=True)
class Record:
    """The past: second n is entry n; each sum has the total before entry n."""

    seconds: list[Second] = field(default_factory=list)
    served: list[float] = field(default_factory=lambda: [0.0])
    """Waiting requests are in no counter."""
    busy: list[float] = field(default_factory=lambda: [0.0])
    """The share of time for which a ready pod was busy."""
    in_flight: list[float] = field(default_factory=lambda: [0.0])
    """Requests in flight or waiting."""

    def add(self, second: Second) -> None:
        self.seconds.append(second)
        self.served.append(self.served[-1] + second.served)
        self.busy.append(self.busy[-1] + second.busy)
        self.in_flight.append(self.in_flight[-1] + second.in_flight)


@dataclass(slots=True)
class View:
    now: int
    """The first second that has not happened yet."""
    replicas: int
    """Of the target's spec."""
    ready: int
    maximum: int
    """The maximum for every autoscaler."""
    record: Record


class Autoscaler(Protocol):
    period: int
    """Seconds between two evaluations."""

    def scale(self, view: View) -> int:
        """The number of replicas from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Timeline:
    """The run of an autoscaler without the warm-up: entry n is second n of the trace."""

    seconds: Sequence[Second]
    replicas: Sequence[int]
    """Requested, and so paid for."""


def warm_up_rate(load: Sequence[float]) -> float:
    """Requests per second of the warm-up: the mean of the first minute."""
    first = load[:60]
    return round(sum(first) / len(first))


def run(load: Sequence[float], policy: Autoscaler, station: Station, model: Model) -> Timeline:
    """Run an autoscaler, starting with the replicas that the first minute's mean needs. The maximum
    is twice what the peak needs.
    """
    before = warm_up_rate(load)
    record, most = Record(), 2 * station.pods_needed(max(load))
    requested: list[int] = []
    replicas = ready = station.pods_needed(before)
    starting: deque[float] = deque()
    backlog = 0.0
    for now, rate in enumerate([before] * WARM_UP + list(load)):
        while starting and starting[0] <= now:
            starting.popleft()
            ready += 1
        if now % policy.period == 0:
            wanted = policy.scale(View(now, replicas, ready, most, record))
            starting.extend([now + model.pod.start_s] * (wanted - replicas))
            while replicas > wanted:
                replicas -= 1
                if starting:
                    starting.pop()
                else:
                    ready -= 1
            replicas = wanted
        second = station.second(rate, ready, backlog)
        record.add(second)
        requested.append(replicas)
        backlog = second.backlog
    return Timeline(record.seconds[WARM_UP:], requested[WARM_UP:])


@dataclass(frozen=True, slots=True)
class Window:
    """The seconds between two readings of counters."""

    start: int
    end: int

    def mean(self, sums: Sequence[float]) -> float:
        """The mean per second of one of a record's sums."""
        return (sums[self.end] - sums[self.start]) / (self.end - self.start)


def cpu(path: Path, now: int) -> Window | None:
    """The window of the newest CPU usage: between the kubelet's samples at the last two scrapes of
    metrics-server. None before there are two.
    """
    scrape = now - path.age_s
    end, start = _floor(scrape, path.kubelet_s), _floor(scrape - path.scrape_s, path.kubelet_s)
    return Window(start, end) if start >= 0 else None


def prometheus(path: Path, now: int, seconds: int) -> Window | None:
    """The window between the oldest and the newest scrape of the last `seconds`, as of `rate()`."""
    end, whole = now - path.age_s, _floor(seconds - path.age_s, path.scrape_s)
    return Window(end - whole, end) if end >= whole else None


def direct(path: Path, now: int, seconds: int) -> Window | None:
    """The last `seconds`, read from the pods."""
    end = now - path.age_s
    return Window(end - seconds, end) if end >= seconds else None


def gauge(record: Record, window: Window, every: int) -> float:
    """Requests in flight as a gauge shows them that is read every so many seconds: the mean of a
    few readings with Poisson noise, without which a gauge would be too accurate.
    """

    def reading(second: int) -> float:
        mean = record.in_flight[second] - record.in_flight[max(0, second - 1)]
        return max(0.0, mean + math.sqrt(mean) * NOISE[second % len(NOISE)])

    seconds = range(window.end, window.start - 1, -every)
    return sum(map(reading, seconds)) / len(seconds)


def _floor(second: int, step: int) -> int:
    return second // step * step
