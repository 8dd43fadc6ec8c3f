"""A simulated target that executes decisions: pods start, loads change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from borough_operator.decision.decide import decide
from borough_operator.decision.model import (
    Behavior,
    Decision,
    ForeignWriter,
    Freshness,
    Goal,
    GoalType,
    History,
    Measure,
    Need,
    Observation,
    Policy,
    Reading,
    Rollout,
)

START = 1_800_000_000.0
"""Unix time at which every scenario starts."""
RATE = Need(Measure.RATE)
IN_FLIGHT = Need(Measure.IN_FLIGHT)
DURATION = Need(Measure.DURATION)
P95 = Need(Measure.QUANTILE, "0.95")

BY_RATE = Goal("RequestRate", GoalType.RATE, per_replica=20.0)
BY_IN_FLIGHT = Goal("InFlight", GoalType.IN_FLIGHT, per_replica=8.0)
BY_LATENCY = Goal("Latency", GoalType.LATENCY, quantile="0.95", objective=0.25)
BY_QUERY = Goal("Query", GoalType.QUERY, per_replica=10.0, promql="sum(jobs)")
JOBS = Need(Measure.QUERY, "sum(jobs)")

SOON = 125.0
"""Seconds after which a new process may remove a replica: one interval and the window."""


def fresh(value: float, age: float = 1.0) -> Reading:
    return Reading(Freshness.FRESH, value, age)


def policy(*goals: Goal, **changes: object) -> Policy:
    """A policy with a rate goal by default; every field may be replaced."""
    return replace(Policy(goals or (BY_RATE,), 1, 20), **changes)  # type: ignore[arg-type]  # tests name fields


@dataclass
class World:
    """One target and its scaler. `load` is requests per second as a function of the scenario's
    time.
    """

    policy: Policy
    load: Callable[[float], float] = lambda _: 100.0
    replicas: int = 3
    start_up: float = 8.0
    time: float = 0.0
    history: History = field(default_factory=History)
    rollout: Rollout = Rollout.STABLE
    writer: ForeignWriter | None = None
    resume: float | None = None
    broken: Mapping[Need, Reading] = field(default_factory=dict)
    """Readings that replace those of the load."""
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        return START + self.time

    @property
    def last(self) -> Decision:
        return self.decisions[-1][1]

    def readings(self) -> dict[Need, Reading]:
        """The readings of a working source; each request takes 0.05 s."""
        rate = self.load(self.time)
        normal = {
            RATE: fresh(rate),
            IN_FLIGHT: fresh(rate / 20.0),
            DURATION: fresh(0.05),
            P95: fresh(0.15),
            JOBS: fresh(rate),
        }
        return {**normal, **self.broken}

    def observation(self) -> Observation:
        self.starting = [ready for ready in self.starting if ready > self.time]
        return Observation(
            self.replicas,
            max(0, self.replicas - len(self.starting)),
            self.readings(),
            self.rollout,
            self.writer,
            self.resume,
        )

    def decide(self) -> Decision:
        """Make one decision and execute it."""
        decision = decide(self.policy, self.observation(), self.history, self.now)
        self.history = decision.history
        self.decisions.append((self.time, decision))
        if decision.write:
            new = max(0, decision.replicas - self.replicas)
            self.starting += [self.time + self.start_up] * new
            self.replicas, self.writer = decision.replicas, None
        return decision

    def run(self, seconds: float) -> "World":
        """Decide at every interval for so many seconds."""
        end = self.time + seconds
        while self.time < end:
            self.decide()
            self.time += self.policy.behavior.interval
        return self

    def scaled_by(self, manager: str, replicas: int) -> None:
        """Another manager sets the target's number."""
        self.replicas, self.writer, self.starting = replicas, ForeignWriter(manager, self.now), []

    def restart(self) -> None:
        """Restart the process: only what the status stores is kept."""
        self.history = History(self.history.applied, self.history.hold, self.history.reversals)

    def sizes(self) -> list[int]:
        """The number after every decision."""
        return [decision.replicas for _, decision in self.decisions]


def steady(load: float, replicas: int, **changes: object) -> World:
    """A target with a full history of this load."""
    world = World(policy(**changes), lambda _: load, replicas)
    return world.run(SOON + 60.0)


def patient(**changes: object) -> Behavior:
    return replace(Behavior(), **changes)  # type: ignore[arg-type]  # tests name fields
