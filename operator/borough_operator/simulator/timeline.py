"""Runs one autoscaler on one load, second by second: replicas requested, pods ready, latency.

An autoscaler is evaluated at its own period and sees only what `paths.py` provides. Requested pods
are ready after the model's start-up time; pods are removed at once, starting ones first and then
the newest, as a ReplicaSet does. A pod is paid for from its request to its removal.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from borough_operator.simulator.pods import Model
from borough_operator.simulator.station import Second, Station

WARM_UP = 600
"""Seconds at the mean load of the trace's first minute that precede the trace and are not scored,
so that all windows are full and a cold start is not counted."""


@dataclass(slots=True)
class Record:
    """The past: second n is entry n; each sum has the total before entry n."""

    seconds: list[Second] = field(default_factory=list)
    served: list[float] = field(default_factory=lambda: [0.0])
    busy: list[float] = field(default_factory=lambda: [0.0])
    in_flight: list[float] = field(default_factory=lambda: [0.0])

    def add(self, second: Second) -> None:
        """Add one second."""
        self.seconds.append(second)
        self.served.append(self.served[-1] + second.served)
        self.busy.append(self.busy[-1] + second.busy)
        self.in_flight.append(self.in_flight[-1] + second.in_flight)


@dataclass(slots=True)
class View:
    """The input of an autoscaler at one evaluation."""

    now: int
    replicas: int
    """Of the target's spec."""
    ready: int
    maximum: int
    """The maximum for every autoscaler."""
    record: Record


class Autoscaler(Protocol):
    """An autoscaler."""

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


def maximum(load: Sequence[float], station: Station) -> int:
    """The maximum for every autoscaler: twice what the peak needs."""
    return 2 * station.pods_needed(max(load))


def run(load: Sequence[float], policy: Autoscaler, station: Station, model: Model) -> Timeline:
    """Run an autoscaler, starting with the replicas that the first minute's mean needs."""
    before = warm_up_rate(load)
    record, most = Record(), maximum(load, station)
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
