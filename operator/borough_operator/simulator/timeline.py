"""One policy on one load, second by second: what was asked for, what was ready, how it felt.

A policy looks at its own period and sees only what `paths.py` lets it see. Pods asked for are ready
after the model's start-up time; pods removed go at once, those still starting first and then the
newest, as a ReplicaSet chooses. Each pod is paid for from being asked for to being removed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from borough_operator.simulator.pods import Model
from borough_operator.simulator.station import Second, Station

WARM_UP = 600
"""Seconds at the mean of the trace's first minute that every policy lives through before it is
judged, so that all windows are full and nobody pays for a cold start."""


@dataclass(slots=True)
class Record:
    """What happened so far; second n is entry n, and sums have the total before it."""

    seconds: list[Second] = field(default_factory=list)
    served: list[float] = field(default_factory=lambda: [0.0])
    busy: list[float] = field(default_factory=lambda: [0.0])
    in_flight: list[float] = field(default_factory=lambda: [0.0])

    def add(self, second: Second) -> None:
        """One more second."""
        self.seconds.append(second)
        self.served.append(self.served[-1] + second.served)
        self.busy.append(self.busy[-1] + second.busy)
        self.in_flight.append(self.in_flight[-1] + second.in_flight)


@dataclass(slots=True)
class View:
    """What a policy is given at a look."""

    now: int
    replicas: int
    """Asked for, by the target's spec."""
    ready: int
    maximum: int
    """The most that anybody may ask for."""
    record: Record


class Policy(Protocol):
    """Something that scales."""

    period: int
    """Seconds between two looks."""

    def look(self, view: View) -> int:
        """How many replicas there shall be from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Timeline:
    """What came of a policy, without the warm-up: entry n is second n of the trace."""

    seconds: Sequence[Second]
    replicas: Sequence[int]
    """Asked for, and so paid for."""


def calm(load: Sequence[float]) -> float:
    """Requests a second of the warm-up: the mean of the first minute."""
    first = load[:60]
    return round(sum(first) / len(first))


def maximum(load: Sequence[float], station: Station) -> int:
    """The most replicas that anybody may ask for: twice what the peak needs."""
    return 2 * station.need(max(load))


def run(load: Sequence[float], policy: Policy, station: Station, model: Model) -> Timeline:
    """Let a policy live through a load, from as many replicas as the first minute's mean needs."""
    before = calm(load)
    record, most = Record(), maximum(load, station)
    asked: list[int] = []
    replicas = ready = station.need(before)
    starting: deque[float] = deque()
    backlog = 0.0
    for now, rate in enumerate([before] * WARM_UP + list(load)):
        while starting and starting[0] <= now:
            starting.popleft()
            ready += 1
        if now % policy.period == 0:
            wanted = policy.look(View(now, replicas, ready, most, record))
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
        asked.append(replicas)
        backlog = second.backlog
    return Timeline(record.seconds[WARM_UP:], asked[WARM_UP:])
