"""What one scaler remembers between two decisions: small frozen values, each with its own rule.

All of it may be lost with the process. So every value has a most cautious reading of "nothing is
known", and that is what a new process starts with: it may add a replica sooner than the old one
would have, and never removes one sooner.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from borough_operator.decision import hpa

T = TypeVar("T")

LONGEST_LEAD = 60.0
"""Seconds to be ready that are planned for where none were measured, and at most: no trend holds
for longer."""
_SPACING = 4.0
"""Seconds between two samples of load that are kept, at least: with the lookback it bounds the
memory. The newest may be younger, and makes way for the next then."""
_STEPS = 24
"""Steps of a falling window that are told apart."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one reading said of a load."""

    at: float
    load: float
    stay: float
    """Mean seconds that a request stayed; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Track:
    """The load of one goal over the lookback."""

    samples: tuple[Sample, ...] = ()
    in_flight: tuple[float, float] | None = None
    """When requests in flight were last counted, and how many there were."""

    def seen(self, sample: Sample, lookback: float) -> "Track":
        """With one more sample, unless it is no newer than the last."""
        last, before = self.samples[-1:], self.samples[-2:-1]
        if last and sample.at <= last[0].at:
            return self
        passing = bool(before) and last[0].at < before[0].at + _SPACING
        past = self.samples[:-1] if passing else self.samples
        kept = tuple(old for old in past if old.at > sample.at - lookback)
        return replace(self, samples=(*kept, sample))

    @property
    def calm(self) -> float:
        """Mean seconds a request stays where it need not wait, as far as the lookback knows."""
        return min((sample.stay for sample in self.samples if sample.stay > 0.0), default=0.0)


@dataclass(frozen=True, slots=True)
class Window:
    """The largest need of the last seconds, all of them fresh and seen by this process."""

    since: float | None = None
    """When the unbroken row of fresh readings began."""
    needs: tuple[tuple[float, float], ...] = ()
    """When which need was seen; only those that no later one has reached."""
    length: float = 0.0
    """Seconds after which needs are forgotten."""

    def seen(self, now: float, need: float, length: float) -> "Window":
        """With one more need. A window that grows begins anew: what it lacks was forgotten."""
        kept = [old for old in self.needs if old[0] >= now - length and old[1] > need]
        if len(kept) > _STEPS:  # a long fall: the larger of two counts for as long as the later
            last = len(kept) - 1
            kept = [(kept[min(i + 1, last)][0], kept[i][1]) for i in range(0, last + 1, 2)]
        anew = self.since is None or length > self.length
        return Window(now if anew else self.since, (*kept, (now, need)), length)

    def full(self, now: float) -> bool:
        """Whether the row is long enough to remove anything."""
        return self.since is not None and now - self.since >= self.length

    @property
    def largest(self) -> float:
        """The largest need of the window."""
        return self.needs[0][1] if self.needs else math.inf


@dataclass(frozen=True, slots=True)
class Asked:
    """Replicas that were asked for and are not all ready yet."""

    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A raise for the sake of a latency, and what it was to change."""

    at: float
    replicas: int
    """Before it."""
    quantile: float
    rate: float
    """Requests a second and replica."""
    ready_at: float | None = None
    """When all its replicas were."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What was learned of a target's speed, from what it did within its objective and beyond."""

    servers: float | None = None
    """How many servers of a queue one replica is worth."""
    service: float | None = None
    """Seconds a request takes where it need not wait."""
    unhelpful: int = 0
    """Raises in a row after which the quantile was no better."""
    useful: int = 0
    """Replicas before the first of them."""
    rate: float = 0.0
    """Requests a second at the last of them."""


@dataclass(frozen=True, slots=True)
class LastActions:
    """What this process did to the target."""

    changed: float | None = None
    """When it last gave it a number, or would have in Advise mode."""
    given: float | None = None
    """When it last gave it a number."""
    step: float | None = None
    """When it last removed replicas."""
    rising: bool = True
    """Whether its last change was upwards; unknown counts as that, so that going down costs."""
    asked: Asked | None = None
    trials: Mapping[str, Trial] = field(default_factory=dict)
    """By the identity of the goal."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another controller that undoes our writes."""

    manager: str = ""
    flips: int = 0


@dataclass(frozen=True, slots=True)
class Shadow:
    """The HorizontalPodAutoscaler that never was."""

    replicas: int | None = None
    looked: float = -math.inf
    memory: hpa.Memory = field(default_factory=hpa.Memory)


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that a new process does without."""

    began: float | None = None
    """When the first decision was made: until then anything may have been done."""
    decided: float | None = None
    """When the last decision was made: what came long before it was not seen."""
    goals: frozenset[str] = frozenset()
    """The identities of the goals that `window` has heard."""
    source: str = ""
    """Where their readings came from."""
    tracks: Mapping[str, Track] = field(default_factory=dict)
    """By the identity of the goal."""
    window: Window = Window()
    lead: float | None = None
    """Seconds from asking for a replica to all being ready, as measured."""
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    """By the identity of the goal."""
    last_actions: LastActions = field(default_factory=LastActions)
    rival: Rival = Rival()
    shadow: Shadow = Shadow()
    advised: int | None = None
    """Advise: the number the target would have by now."""

    def track(self, goal: str) -> Track:
        """The load of this goal."""
        return self.tracks.get(goal, Track())

    def tracked(self, goal: str, track: Track) -> "Memory":
        """With another track of this goal."""
        return replace(self, tracks={**self.tracks, goal: track})

    def latency(self, goal: str) -> Latency:
        """What was learned for this goal."""
        return self.latencies.get(goal, Latency())

    def learned(self, goal: str, latency: Latency) -> "Memory":
        """With something else learned for this goal."""
        return replace(self, latencies={**self.latencies, goal: latency})

    def trying(self, trials: Mapping[str, Trial]) -> "Memory":
        """With these trials under way, and no others."""
        return replace(self, last_actions=replace(self.last_actions, trials=trials))

    def of(self, goals: frozenset[str], source: str) -> "Memory":
        """Without what was remembered of others; a window has heard all of them or begins anew."""
        if (goals, source) == (self.goals, self.source):
            return self
        kept = goals if source == self.source else frozenset()
        return replace(
            self,
            goals=goals,
            source=source,
            tracks=_only(kept, self.tracks),
            window=Window(),
            latencies=_only(kept, self.latencies),
        ).trying(_only(kept, self.last_actions.trials))


def _only(goals: frozenset[str], known: Mapping[str, T]) -> dict[str, T]:
    """What is known of these goals."""
    return {goal: what for goal, what in known.items() if goal in goals}
