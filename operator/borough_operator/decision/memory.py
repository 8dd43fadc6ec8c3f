"""What one scaler remembers between two decisions, as frozen values.

All of it may be lost with the process. Each value has a cautious default, with which a new process
starts: it may add a replica earlier than the old process would have, and never removes one earlier.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from borough_operator.decision import hpa

T = TypeVar("T")

MAX_LEAD = 60.0
"""Seconds until a replica is ready: assumed where none was measured, and the maximum, since no
trend holds for longer."""
_SPACING = 4.0
"""Minimum seconds between two kept samples of load: with the lookback it bounds the memory. The
newest may be younger and is then replaced by the next."""
_MAX_PEAKS = 24
"""Peaks that a window keeps; of more, neighbours are merged."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    load: float
    residence: float
    """Mean seconds a request spent in the target, waiting included; 0 where unknown."""


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """The load of one goal over the lookback."""

    samples: tuple[Sample, ...] = ()
    in_flight: tuple[float, float] | None = None
    """Time and number of the last reading of requests in flight."""

    def with_sample(self, sample: Sample, lookback: float) -> "LoadHistory":
        """With this sample added, unless it is no newer than the last."""
        last, before = self.samples[-1:], self.samples[-2:-1]
        if last and sample.at <= last[0].at:
            return self
        replaced = bool(before) and last[0].at < before[0].at + _SPACING
        past = self.samples[:-1] if replaced else self.samples
        kept = tuple(old for old in past if old.at > sample.at - lookback)
        return replace(self, samples=(*kept, sample))

    @property
    def service_time(self) -> float:
        """Mean seconds a request takes without waiting: the shortest residence of the lookback."""
        known = (sample.residence for sample in self.samples if sample.residence > 0.0)
        return min(known, default=0.0)


@dataclass(frozen=True, slots=True)
class Window:
    """The largest demand of the last seconds, from consecutive fresh readings of this process."""

    since: float | None = None
    """When the first of the consecutive fresh readings was made."""
    peaks: tuple[tuple[float, float], ...] = ()
    """Time and replicas of each demand that no later one has reached."""
    length: float = 0.0
    """Seconds after which demands are forgotten."""

    def with_demand(self, now: float, replicas: float, length: float) -> "Window":
        """With one more demand. A longer window starts anew, since older demands were forgotten."""
        kept = [old for old in self.peaks if old[0] >= now - length and old[1] > replicas]
        if len(kept) > _MAX_PEAKS:  # of two neighbours the larger counts until the later ends
            last = len(kept) - 1
            kept = [(kept[min(i + 1, last)][0], kept[i][1]) for i in range(0, last + 1, 2)]
        anew = self.since is None or length > self.length
        return Window(now if anew else self.since, (*kept, (now, replicas)), length)

    def full(self, now: float) -> bool:
        """Whether it spans its whole length, so that a replica may be removed."""
        return self.since is not None and now - self.since >= self.length

    @property
    def largest(self) -> float:
        """The largest demand of the window; infinite where there is none."""
        return self.peaks[0][1] if self.peaks else math.inf


@dataclass(frozen=True, slots=True)
class PendingReplicas:
    """Replicas that were added and are not all ready yet."""

    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A raise for a latency goal, to be compared with the measurement after it."""

    at: float
    replicas: int
    """Replicas before the raise."""
    quantile: float
    rate: float
    """Requests per second and replica before the raise."""
    ready_at: float | None = None
    """When all its replicas were ready."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What was learned of a target's latency at and above its objective."""

    servers: float | None = None
    """Servers of the queueing model that one replica is worth."""
    service: float | None = None
    """Seconds a request takes without waiting."""
    unhelpful: int = 0
    """Consecutive raises that did not improve the quantile."""
    useful: int = 0
    """Replicas before the first of these raises."""
    rate: float = 0.0
    """Requests per second at the last of these raises."""


@dataclass(frozen=True, slots=True)
class LastActions:
    """The last changes that this process made."""

    changed: float | None = None
    """Time of the last change of the number; in Advise mode of the advice."""
    written: float | None = None
    """Time of the last write to the target."""
    removed: float | None = None
    """Time of the last removal of replicas."""
    rising: bool = True
    """Whether the last change was upwards. True where unknown, so that a removal counts as a
    reversal."""
    pending: PendingReplicas | None = None
    trials: Mapping[str, Trial] = field(default_factory=dict)
    """By the identity of the goal."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Another field manager that reverts our writes."""

    manager: str = ""
    reverted: int = 0
    """Consecutive writes of ours that it reverted."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A simulated HorizontalPodAutoscaler that is fed the same readings."""

    replicas: int | None = None
    evaluated: float = -math.inf
    memory: hpa.Memory = field(default_factory=hpa.Memory)


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that a new process starts without."""

    began: float | None = None
    """Time of the first decision; what was done before is unknown."""
    decided: float | None = None
    """Time of the last decision, by which gaps are noticed."""
    goals: frozenset[str] = frozenset()
    """The identities of the goals whose demands `window` holds."""
    source: str = ""
    """The source of their readings."""
    loads: Mapping[str, LoadHistory] = field(default_factory=dict)
    """By the identity of the goal."""
    window: Window = Window()
    lead: float | None = None
    """Measured seconds from adding replicas until all are ready."""
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    """By the identity of the goal."""
    last_actions: LastActions = field(default_factory=LastActions)
    contender: Contender = Contender()
    shadow: Shadow = Shadow()
    advised: int | None = None
    """In Advise mode, the number the target would have by now."""

    def with_trials(self, trials: Mapping[str, Trial]) -> "Memory":
        return replace(self, last_actions=replace(self.last_actions, trials=trials))

    def restricted_to(self, goals: frozenset[str], source: str) -> "Memory":
        """Without what belongs to other goals or another source; the window starts anew where
        either changed.
        """
        if (goals, source) == (self.goals, self.source):
            return self
        kept = goals if source == self.source else frozenset()
        return replace(
            self,
            goals=goals,
            source=source,
            loads=_only(kept, self.loads),
            window=Window(),
            latencies=_only(kept, self.latencies),
        ).with_trials(_only(kept, self.last_actions.trials))


def _only(goals: frozenset[str], known: Mapping[str, T]) -> dict[str, T]:
    return {goal: value for goal, value in known.items() if goal in goals}
