"""The words of a decision: what is wanted, what was seen, what was remembered, what was decided.

Frozen values and no behaviour beyond what follows from them. Seconds are floats, clock readings
are Unix time, replicas are whole numbers; a quantity of work is in the goal's own unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from borough_operator.decision.memory import Memory


class Mode(StrEnum):
    """What may be done with an answer."""

    AUTO = "Auto"
    """The target is given it."""
    ADVISE = "Advise"
    """It is only said, in status and metrics."""
    PAUSED = "Paused"
    """None is asked for."""


class Measure(StrEnum):
    """What can be read of a target."""

    RATE = "rate"
    """Requests a second, over all its pods."""
    IN_FLIGHT = "in_flight"
    """Requests being answered, on average over the last moments, over all its pods."""
    DURATION = "duration"
    """Mean seconds a request takes."""
    QUANTILE = "quantile"
    """Seconds that the share `Need.argument` of requests stays under."""
    QUERY = "query"
    """Whatever the PromQL `Need.argument` answers, over all its pods."""


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One quantity that a policy needs to know of its target."""

    measure: Measure
    argument: str = ""
    """The quantile, such as "0.95", or the PromQL."""


class Freshness(StrEnum):
    """How far a reading can be trusted. Only a fresh one ever removes a replica."""

    FRESH = "fresh"
    STALE = "stale"
    """It has a value, and is too old."""
    EMPTY = "empty"
    """The source is well and knows nothing of the target."""
    ERROR = "error"
    """The source failed, or what it said is no quantity; `Reading.detail` says how."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source said of one need."""

    freshness: Freshness
    value: float = 0.0
    """Finite and not negative; only of a fresh or stale reading does it mean anything."""
    age: float = 0.0
    """Seconds since it was true, for a fresh or stale reading."""
    detail: str = ""
    """For an error: a sentence that names what failed."""


class GoalType(StrEnum):
    """The forms a goal can have."""

    RATE = "RequestRate"
    IN_FLIGHT = "InFlight"
    LATENCY = "Latency"
    QUERY = "Query"


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to hold. The largest proposal of all goals wins."""

    name: str
    """Unique in its policy: its type, or its type and number where there are several."""
    type: GoalType
    per_replica: float = 0.0
    """What one replica can carry; of all goals but latency."""
    quantile: str = ""
    """Latency: the share of requests, such as "0.95"."""
    objective: float = 0.0
    """Latency: seconds that this share is to stay under."""
    promql: str = ""
    """Query: one number, the work of the whole target."""
    empty_is_zero: bool = False
    """Query: nothing found means no work; otherwise it means that nothing is known."""

    @property
    def identity(self) -> str:
        """What it measures, and against which objective: what was learned of it holds for no
        other. What one replica can carry is no part of it.
        """
        return f"{self.type} {self.quantile} {self.objective:g} {self.promql}"


@dataclass(frozen=True, slots=True)
class Behavior:
    """How fast and how freely an answer may move."""

    interval: float = 5.0
    tolerance_up: float = 0.02
    tolerance_down: float = 0.1
    """Shares of the present size within which a proposal changes nothing."""
    down_window: float = 120.0
    """Seconds of fresh readings, all seen by this process, before a replica is removed."""
    down_max_percent: float = 25.0
    """Share of the present size that one step may remove; one replica always may go."""
    reversals_per_hour: int = 12
    """How often the direction may change within an hour."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a ServiceScaler asks for: its spec, read and checked."""

    goals: tuple[Goal, ...]
    min_replicas: int = 1
    max_replicas: int = 10
    mode: Mode = Mode.AUTO
    behavior: Behavior = field(default_factory=Behavior)
    manual_hold: float = 900.0
    """Seconds that a change by somebody else is left alone."""
    source: str = ""
    """Where its readings come from: what was remembered of another source is forgotten."""


class Rollout(StrEnum):
    """How the target's newest template fares."""

    STABLE = "stable"
    PROGRESSING = "progressing"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Writer:
    """Who gave the target its present number of replicas, where that was not us."""

    manager: str
    """The field manager, such as "kubectl"."""
    time: float


@dataclass(frozen=True, slots=True)
class Observation:
    """A target at one moment."""

    replicas: int
    """Asked for, by its spec."""
    ready: int
    """Ready pods of the newest template only: surge pods are no capacity."""
    readings: Mapping[Need, Reading]
    rollout: Rollout = Rollout.STABLE
    writer: Writer | None = None
    resume: float | None = None
    """Holds that began before this moment are over, says the scaler's annotation."""
    cores: float = 0.0
    """CPU requested by one replica: what a replica-second costs. 0 where none is."""


class Reason(StrEnum):
    """Why the answer is what it is: the closed list. Each has a sentence in `reasons.py`."""

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
"""Reasons for which there is no number to give, and none to tell."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one goal asks for."""

    goal: str
    freshness: Freshness
    replicas: int | None
    """None where the goal knows nothing."""
    value: float | None = None
    """The work or the quantile that was read."""
    age: float | None = None
    formula: str = ""
    """The arithmetic with its numbers, such as "ceil((120 + 1.0*sqrt(120*50)) / 50) = 4"."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Clamp:
    """One rule that changed the answer on its way."""

    reason: Reason
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody else's number, left alone for a while."""

    manager: str
    replicas: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class History:
    """What one scaler remembers between two decisions, in this process; all of it may be lost.

    Its status keeps all but `memory`, which starts empty in a new process: whatever needs memory to
    remove a replica then waits until it has it.
    """

    applied: int | None = None
    """The number this operator gave the target last, or found when it took over."""
    hold: Hold | None = None
    reversals: tuple[float, ...] | None = None
    """When the direction changed, of the last hour at least. None where nobody knows: then there is
    no budget left for an hour."""
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, how it came about, and what to remember for the next one."""

    replicas: int
    """What the target should have: the advice where the mode is Advise, its own number where
    another owns it, and meaningless where there is no `answer`."""
    reason: Reason
    message: str
    """One sentence for a person, numbers included."""
    history: History
    proposals: tuple[Proposal, ...] = ()
    binding: str = ""
    """The goal whose proposal was the largest."""
    raw: int | None = None
    """That proposal, before any clamp."""
    clamps: tuple[Clamp, ...] = ()
    """The rules that changed it, in the order in which they acted."""
    hpa: int | None = None
    """What a HorizontalPodAutoscaler with its defaults would have by now, fed the same readings."""
    write: bool = False
    """Whether the target is to be given `replicas`."""
    contradiction: str = ""
    """A sentence where the readings cannot all be true of a target that is well."""

    @property
    def answer(self) -> int | None:
        """The number, or None where there was nothing to decide about."""
        return None if self.reason in NO_TARGET else self.replicas
