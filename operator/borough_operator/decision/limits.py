"""From the largest demand to the number of replicas: each rule that may change it, as a clamp.

Replicas are added at once for load that is counted; work that only waits is left to pending
replicas. Replicas are removed in steps, after all goals had fresh readings for a whole window, and
within the budget of reversals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.decision.goals import Demand
from borough_operator.decision.memory import Memory
from borough_operator.decision.model import Behavior, Clamp, History, Policy, Reason, Rollout

_STEPS_PER_WINDOW = 8
"""Removals within one down window: each shows in the readings before the next."""
_REVERSAL_MARGIN = 2.5
"""Tolerances by which fewer replicas must suffice for a removal soon after a raise; one tolerance
suffices for a further removal, or later."""
_REVERSAL_WINDOWS = 8.0
"""Windows after a raise until a removal no longer counts as caused by noise."""


def lookback(behavior: Behavior) -> float:
    """Seconds of load history for trend and noise: at most the down window, so that a new process
    has the same history as an old one by the time it may remove a replica.
    """
    return min(max(60.0, 12.0 * behavior.interval), behavior.down_window)


@dataclass(frozen=True, slots=True)
class Situation:
    policy: Policy
    demands: Sequence[Demand]
    memory: Memory
    reversals: tuple[float, ...]
    current: int
    ready: int
    awaiting: bool
    """Whether replicas that this process added are not ready yet."""
    rollout: Rollout
    doubt: Reason | None
    """Why the readings forbid a removal; None if they are fresh and consistent."""
    now: float

    def bounded(self, number: float) -> float:
        return min(max(number, self.policy.min_replicas), self.policy.max_replicas)

    def above_max(self, number: int) -> bool:
        return number > self.policy.max_replicas


@dataclass(frozen=True, slots=True)
class Limited:
    replicas: int
    reason: Reason
    clamps: tuple[Clamp, ...] = ()


def apply(situation: Situation) -> Limited:
    """Apply the rules. A number below the minimum is raised at once, whatever the readings are; one
    above the maximum is reduced by the rules of any removal.
    """
    current = situation.current
    base = max(current, situation.policy.min_replicas)
    found = _limit(situation, base)
    if found.replicas == base > current:
        clamp = Clamp(Reason.AT_MIN, current, base)
        return Limited(base, Reason.AT_MIN, (*found.clamps, clamp))
    if found.reason is Reason.STEADY:
        if situation.doubt is not None:
            return Limited(base, situation.doubt, found.clamps)
        if any(demand.saturated for demand in situation.demands):
            return Limited(base, Reason.SATURATED, found.clamps)
        if situation.awaiting:
            return Limited(base, Reason.AWAITING_READY, found.clamps)
    return found


def _limit(situation: Situation, base: int) -> Limited:
    demanded = _demanded(situation)
    if not demanded:
        return Limited(base, Reason.STEADY)
    raw = math.ceil(max(demanded))
    wanted = int(situation.bounded(raw))
    limit = Reason.AT_MAX if raw > wanted else Reason.AT_MIN
    clamps: tuple[Clamp, ...] = (Clamp(limit, raw, wanted),) if raw != wanted else ()
    behavior = situation.policy.behavior
    if wanted > base * (1.0 + behavior.tolerance_up):
        number, reason = _up(situation, base)
    elif wanted < base and (
        situation.above_max(base) or max(demanded) < base * (1.0 - behavior.tolerance_down)
    ):
        number, reason = _down(situation, base)
    else:
        number, reason = base, Reason.STEADY
    if number != wanted and reason is not Reason.STEADY:
        clamps += (Clamp(reason, wanted, number),)
    elif clamps and number >= base:
        reason = limit
    return Limited(number, reason, clamps)


def _demanded(situation: Situation) -> list[float]:
    return [demand.replicas for demand in situation.demands if demand.replicas is not None]


def _up(situation: Situation, base: int) -> tuple[int, Reason]:
    """The largest demand that may be met now."""
    if situation.rollout is Rollout.FAILING:
        return base, Reason.ROLLOUT_FAILING
    reason, free = Reason.STEADY, float(base)
    for demand in situation.demands:
        if demand.replicas is None or demand.replicas <= base:
            continue
        if _wait_for_pending(situation, demand):
            reason = Reason.AWAITING_READY
        else:
            free = max(free, demand.replicas)
    wanted = int(situation.bounded(math.ceil(free)))
    if wanted > base * (1.0 + situation.policy.behavior.tolerance_up):
        return wanted, Reason.SCALED_UP
    return base, reason


def _wait_for_pending(situation: Situation, demand: Demand) -> bool:
    """Whether the effect of replicas that were added before has to show first."""
    on_trial = demand.missed and bool(situation.memory.last_actions.trials)
    return on_trial or (demand.queued and situation.awaiting)


def _down(situation: Situation, base: int) -> tuple[int, Reason]:
    """The largest demand of the window, reached by at most one step."""
    behavior, memory, now = situation.policy.behavior, situation.memory, situation.now
    if situation.doubt is not None:
        return base, situation.doubt
    if situation.rollout is not Rollout.STABLE:
        failing = situation.rollout is Rollout.FAILING
        return base, Reason.ROLLOUT_FAILING if failing else Reason.ROLLOUT
    last, length = memory.last_actions, behavior.down_window
    raised = memory.began if last.changed is None else last.changed
    quiet = math.inf if raised is None or not last.rising else now - raised
    stepped = last.removed is not None and now - last.removed < length / _STEPS_PER_WINDOW
    highest = max(memory.window.largest, *_demanded(situation))
    lowest = math.ceil(situation.bounded(highest))
    factor = _REVERSAL_MARGIN if quiet < _REVERSAL_WINDOWS * length else 1.0
    above = situation.above_max(base)
    enough = lowest < base and (above or highest <= base * (1.0 - factor * behavior.tolerance_down))
    if not memory.window.full(now) or not enough or stepped or quiet < length:
        return base, Reason.WINDOW
    if last.rising and not may_reverse(situation.policy, situation.reversals, now):
        return base, Reason.REVERSALS
    share = max(1, math.floor(base * behavior.down_max_percent / 100.0))
    return max(lowest, base - share), Reason.AT_MAX if above else Reason.SCALED_DOWN


# -- The budget of reversals: how often the direction may change within an hour, which bounds
# flapping. A change upwards is always allowed. A removal after a raise is a reversal and makes
# another one likely, so it needs two reversals left in the hour's budget.

HOUR_S = 3600.0


def known_reversals(policy: Policy, history: History, now: float) -> tuple[float, ...]:
    """The reversals; the whole budget where they are unknown."""
    if history.reversals is not None:
        return history.reversals
    if history.applied is None:
        return ()  # a target that was just taken over has none
    return (now,) * policy.behavior.reversals_per_hour


def may_reverse(policy: Policy, reversals: tuple[float, ...], now: float) -> bool:
    """Whether a removal may reverse the direction now."""
    recent = sum(at > now - HOUR_S for at in reversals)
    return recent + 2 <= policy.behavior.reversals_per_hour


def add_reversal(reversals: tuple[float, ...], now: float) -> tuple[float, ...]:
    """With one more; those older than an hour are dropped."""
    return (*(at for at in reversals if at > now - HOUR_S), now)
