"""The values of a decision: what is wanted, what was read, what was remembered, what was decided.

All are frozen. Durations are seconds, times are Unix time, replicas are whole numbers; a load is in
the goal's own unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from borough_operator.decision.memory import Memory


class Mode(StrEnum):
    """What is done with a decision."""

    AUTO = "Auto"
    """The target is given the number."""
    ADVISE = "Advise"
    """The number is only shown, in status and metrics."""
    PAUSED = "Paused"
    """No decision is made."""


class Measure(StrEnum):
    """A quantity that can be read of a target."""

    RATE = "rate"
    """Completed requests per second, over all its pods."""
    IN_FLIGHT = "in_flight"
    """Requests being handled, averaged over the last seconds, over all its pods."""
    DURATION = "duration"
    """Mean duration of a request in seconds."""
    QUANTILE = "quantile"
    """Quantile `Need.argument` of the duration in seconds."""
    QUERY = "query"
    """The value of the PromQL `Need.argument`, over all its pods."""


@dataclass(frozen=True, slots=True, order=True)
class Need:
    measure: Measure
    argument: str = ""
    """The quantile as text, such as "0.95", or the PromQL."""


class Freshness(StrEnum):
    """Whether a reading may be used. Only a fresh one can cause a removal."""

    FRESH = "fresh"
    STALE = "stale"
    """Its value is too old."""
    EMPTY = "empty"
    """The source works and has no series of the target."""
    ERROR = "error"
    """The source failed, or its value is invalid; `Reading.detail` says how."""


@dataclass(frozen=True, slots=True)
class Reading:
    freshness: Freshness
    value: float = 0.0
    """Finite and not negative; meaningful for a fresh or stale reading only."""
    age: float = 0.0
    """Seconds since it was measured; of a fresh or stale reading."""
    detail: str = ""
    """What failed or is missing, as a sentence."""


class GoalType(StrEnum):
    RATE = "RequestRate"
    IN_FLIGHT = "InFlight"
    LATENCY = "Latency"
    QUERY = "Query"


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal of a scaler. The largest proposal of all goals wins."""

    name: str
    """Unique in its policy: its type, or its type and number where there are several."""
    type: GoalType
    per_replica: float = 0.0
    """The load one replica can carry; of all types but Latency."""
    quantile: str = ""
    """Latency: the share of requests, such as "0.95"."""
    objective: float = 0.0
    """Latency: seconds within which this share of requests is to complete."""
    promql: str = ""
    """Query: PromQL with one number, the load of the whole target."""
    empty_is_zero: bool = False
    """Query: whether an empty result means no load; otherwise the load is unknown."""

    @property
    def identity(self) -> str:
        """The measured quantity and its objective, by which learned values are kept. The capacity
        of a replica is not part of it.
        """
        return f"{self.type} {self.quantile} {self.objective:g} {self.promql}"


@dataclass(frozen=True, slots=True)
class Behavior:
    """How fast and how often the number may change."""

    interval: float = 5.0
    tolerance_up: float = 0.02
    tolerance_down: float = 0.1
    """Shares of the present size within which a demand changes nothing."""
    down_window: float = 120.0
    """Seconds of consecutive fresh readings of this process before a replica is removed."""
    down_max_percent: float = 25.0
    """Percent of the present size that one step may remove; at least one replica."""
    reversals_per_hour: int = 12
    """Changes of direction allowed within an hour."""


@dataclass(frozen=True, slots=True)
class Policy:
    goals: tuple[Goal, ...]
    min_replicas: int = 1
    max_replicas: int = 10
    mode: Mode = Mode.AUTO
    behavior: Behavior = field(default_factory=Behavior)
    manual_hold: float = 900.0
    """Seconds for which a number that another manager wrote is left alone."""
    source: str = ""
    """The source of its readings; what was remembered of another source is dropped."""


class Rollout(StrEnum):
    STABLE = "stable"
    PROGRESSING = "progressing"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class ForeignWriter:
    """The field manager that wrote the target's number of replicas, where that was not this
    operator.
    """

    manager: str
    """Such as "kubectl"."""
    time: float


@dataclass(frozen=True, slots=True)
class Observation:
    replicas: int
    """Of the target's spec."""
    ready: int
    """Ready pods of the newest template; surge pods are left out."""
    readings: Mapping[Need, Reading]
    rollout: Rollout = Rollout.STABLE
    writer: ForeignWriter | None = None
    resume: float | None = None
    """Holds that began before this time are over, by the scaler's annotation."""
    cores: float = 0.0
    """CPU cores that one replica requests, by which replica-seconds are priced; 0 where none is
    requested."""


class Reason(StrEnum):
    """Why the number is what it is: a closed list, explained in docs/scaler.md."""

    STEADY = "Steady"
    SCALED_UP = "ScaledUp"
    SCALED_DOWN = "ScaledDown"
    AT_MAX = "AtMax"
    AT_MIN = "AtMin"
    WINDOW = "DownWindow"
    REVERSALS = "ReversalBudget"
    AWAITING_READY = "AwaitingReady"
    ROLLOUT = "RolloutInProgress"
    ROLLOUT_FAILING = "RolloutFailing"
    SATURATED = "Saturated"
    METRICS_STALE = "MetricsStale"
    METRICS_EMPTY = "MetricsEmpty"
    METRICS_ERROR = "MetricsError"
    MANUAL_HOLD = "ManualHold"
    CONTESTED = "Contested"
    SCALED_TO_ZERO = "ScaledToZero"
    PAUSED = "Paused"
    TARGET_MISSING = "TargetMissing"
    TARGET_UNREADABLE = "TargetUnreadable"
    SPEC_INVALID = "SpecInvalid"


NO_TARGET = frozenset({Reason.TARGET_MISSING, Reason.TARGET_UNREADABLE, Reason.SPEC_INVALID})
"""Reasons with which no number is decided."""
DOUBTS = {
    Freshness.ERROR: Reason.METRICS_ERROR,
    Freshness.EMPTY: Reason.METRICS_EMPTY,
    Freshness.STALE: Reason.METRICS_STALE,
}
"""The reason of a reading that is not fresh, the worst first."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal of one goal, as status shows it."""

    goal: str
    freshness: Freshness
    replicas: int | None
    """None where the goal has no fresh reading."""
    value: float | None = None
    """The load or the quantile that was read."""
    age: float | None = None
    formula: str = ""
    """The arithmetic with its numbers, such as "ceil((120 + 1.0*sqrt(120*50)) / 50) = 4"."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Clamp:
    reason: Reason
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A number that another manager wrote and that is left alone for a while."""

    manager: str
    replicas: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class History:
    """What one scaler remembers between two decisions; all of it may be lost.

    Its status stores all but `memory`, which starts empty in a new process: a removal then waits
    until the memory is filled again.
    """

    applied: int | None = None
    """The number this operator wrote last, or found when it took over."""
    hold: Hold | None = None
    reversals: tuple[float, ...] | None = None
    """Times of the changes of direction of at least the last hour. None where unknown: then the
    hour's budget counts as used."""
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class Decision:
    """A number of replicas, how it came about, and what to remember for the next decision."""

    replicas: int
    """What the target should have: in Advise mode the advice, the other owner's number where it is
    left alone; meaningless where `final` is None."""
    reason: Reason
    message: str
    """One sentence, numbers included."""
    history: History
    proposals: tuple[Proposal, ...] = ()
    binding: str = ""
    """The goal whose proposal was the largest."""
    raw: int | None = None
    """That proposal before any clamp."""
    clamps: tuple[Clamp, ...] = ()
    """The rules that changed it, in order."""
    hpa: int | None = None
    """The replicas a HorizontalPodAutoscaler with its defaults would have by now, from the same
    readings."""
    write: bool = False
    """Whether `replicas` is to be written to the target."""
    contradiction: str = ""
    """A sentence where the readings contradict each other, else empty."""

    @property
    def final(self) -> int | None:
        return None if self.reason in NO_TARGET else self.replicas
