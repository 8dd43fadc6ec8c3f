"""A target in virtual time that does what is decided: pods start, loads come and go."""

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
"""When every story begins, in Unix time."""
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
"""Seconds after which a new process may remove a replica: a look, and the window."""


def fresh(value: float, age: float = 1.0) -> Reading:
    return Reading(Freshness.FRESH, value, age)


def policy(*goals: Goal, **changes: object) -> Policy:
    """By rate, if nothing else is said; every field may be."""
    return replace(Policy(goals or (BY_RATE,), 1, 20), **changes)  # type: ignore[arg-type]  # tests name fields


@dataclass
class World:
    """One target and its scaler. `load` is requests a second, as a function of the story's time."""

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
    """Readings that are something else than the load says."""
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        return START + self.time

    @property
    def last(self) -> Decision:
        return self.decisions[-1][1]

    def readings(self) -> dict[Need, Reading]:
        """What a well source says of the load: each request takes a twentieth of a second."""
        rate = self.load(self.time)
        calm = {
            RATE: fresh(rate),
            IN_FLIGHT: fresh(rate / 20.0),
            DURATION: fresh(0.05),
            P95: fresh(0.15),
            JOBS: fresh(rate),
        }
        return {**calm, **self.broken}

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
        """One decision, and what follows from it."""
        decision = decide(self.policy, self.observation(), self.history, self.now)
        self.history = decision.history
        self.decisions.append((self.time, decision))
        if decision.write:
            new = max(0, decision.replicas - self.replicas)
            self.starting += [self.time + self.start_up] * new
            self.replicas, self.writer = decision.replicas, None
        return decision

    def run(self, seconds: float) -> "World":
        """Decide at every interval for so long."""
        end = self.time + seconds
        while self.time < end:
            self.decide()
            self.time += self.policy.behavior.interval
        return self

    def scaled_by(self, manager: str, replicas: int) -> None:
        """Somebody else gives the target a number."""
        self.replicas, self.writer, self.starting = replicas, ForeignWriter(manager, self.now), []

    def restart(self) -> None:
        """The process is lost, and all that the status does not keep."""
        self.history = History(self.history.applied, self.history.hold, self.history.reversals)

    def sizes(self) -> list[int]:
        """The number after every decision."""
        return [decision.replicas for _, decision in self.decisions]


def steady(load: float, replicas: int, **changes: object) -> World:
    """A target that has been watched at this load for as long as anything is remembered."""
    world = World(policy(**changes), lambda _: load, replicas)
    return world.run(SOON + 60.0)


def patient(**changes: object) -> Behavior:
    return replace(Behavior(), **changes)  # type: ignore[arg-type]  # tests name fields
