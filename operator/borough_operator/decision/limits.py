"""From the largest need to the answer: each rule that may change it, and the trace it leaves.

A replica is added at once, for work that can be counted; work that only waits is left to the
replicas on their way. Replicas are removed when all goals are sure and have been for a whole
window, a step at a time, and when the budget of turns allows it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.decision.goals import Wish
from borough_operator.decision.memory import Memory
from borough_operator.decision.model import Behavior, Clamp, History, Policy, Reason, Rollout

_STEPS = 8
"""Steps down that the down window has room for: each is seen in the readings before the next."""
_TURN = 2.5
"""Tolerances by which fewer must do for the direction to turn soon after a raise; one is enough to
go on down, or later."""
_LATER = 8.0
"""Windows after a raise from which its end is no turn that noise could have brought."""


def lookback(behavior: Behavior) -> float:
    """Seconds of load that trend and noise are taken from: no more than the down window, so that a
    new process knows as much as an old one by when it may remove anything.
    """
    return min(max(60.0, 12.0 * behavior.interval), behavior.down_window)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rules look at."""

    policy: Policy
    wishes: Sequence[Wish]
    memory: Memory
    turns: tuple[float, ...]
    current: int
    ready: int
    awaiting: bool
    """Whether replicas that this process asked for are on their way."""
    rollout: Rollout
    doubt: Reason | None
    """Why the readings allow no removal; None if they are fresh and agree."""
    now: float

    def bounded(self, number: float) -> float:
        """The number within the policy's bounds."""
        return min(max(number, self.policy.min_replicas), self.policy.max_replicas)

    def beyond(self, number: int) -> bool:
        """Whether it is more than is allowed."""
        return number > self.policy.max_replicas


@dataclass(frozen=True, slots=True)
class Answer:
    """The number, why, and what changed it on its way."""

    replicas: int
    reason: Reason
    clamps: tuple[Clamp, ...] = ()


def answer(situation: Situation) -> Answer:
    """The number that the target should have. It is raised to the least at once, whatever the
    readings are worth; from above the most it comes down as any number does.
    """
    current = situation.current
    base = max(current, situation.policy.min_replicas)
    found = _from(situation, base)
    if found.replicas == base > current:
        clamp = Clamp(Reason.AT_MIN, current, base)
        return Answer(base, Reason.AT_MIN, (*found.clamps, clamp))
    if found.reason is Reason.STEADY:
        if situation.doubt is not None:
            return Answer(base, situation.doubt, found.clamps)
        if any(wish.saturated for wish in situation.wishes):
            return Answer(base, Reason.SATURATED, found.clamps)
        if situation.awaiting:
            return Answer(base, Reason.AWAITING_READY, found.clamps)
    return found


def _from(situation: Situation, base: int) -> Answer:
    needs = [wish.need for wish in situation.wishes if wish.need is not None]
    if not needs:
        return Answer(base, Reason.STEADY)
    raw = math.ceil(max(needs))
    wanted = int(situation.bounded(raw))
    limit = Reason.AT_MAX if raw > wanted else Reason.AT_MIN
    clamps: tuple[Clamp, ...] = (Clamp(limit, raw, wanted),) if raw != wanted else ()
    behavior = situation.policy.behavior
    if wanted > base * (1.0 + behavior.tolerance_up):
        number, reason = _up(situation, base)
    elif wanted < base and (
        situation.beyond(base) or max(needs) < base * (1.0 - behavior.tolerance_down)
    ):
        number, reason = _down(situation, base)
    else:
        number, reason = base, Reason.STEADY
    if number != wanted and reason is not Reason.STEADY:
        clamps += (Clamp(reason, wanted, number),)
    elif clamps and number >= base:
        reason = limit
    return Answer(number, reason, clamps)


def _up(situation: Situation, base: int) -> tuple[int, Reason]:
    """As many as those needs come to that may raise now."""
    if situation.rollout is Rollout.FAILING:
        return base, Reason.ROLLOUT_FAILING
    reason, free = Reason.STEADY, float(base)
    for wish in situation.wishes:
        if wish.need is None or wish.need <= base:
            continue
        if _on_its_way(situation, wish):
            reason = Reason.AWAITING_READY
        else:
            free = max(free, wish.need)
    wanted = int(situation.bounded(math.ceil(free)))
    if wanted > base * (1.0 + situation.policy.behavior.tolerance_up):
        return wanted, Reason.SCALED_UP
    return base, reason


def _on_its_way(situation: Situation, wish: Wish) -> bool:
    """Whether what was already asked for has to show first what it is good for."""
    trying = wish.missed and bool(situation.memory.deeds.trials)
    return trying or (wish.queued and situation.awaiting)


def _down(situation: Situation, base: int) -> tuple[int, Reason]:
    """As few as the whole window needed, by no more than a step."""
    behavior, memory, now = situation.policy.behavior, situation.memory, situation.now
    if situation.doubt is not None:
        return base, situation.doubt
    if situation.rollout is not Rollout.STABLE:
        failing = situation.rollout is Rollout.FAILING
        return base, Reason.ROLLOUT_FAILING if failing else Reason.ROLLOUT
    deeds, length = memory.deeds, behavior.down_window
    raised = memory.began if deeds.changed is None else deeds.changed
    quiet = math.inf if raised is None or not deeds.rising else now - raised
    stepped = deeds.step is not None and now - deeds.step < length / _STEPS
    needs = [wish.need for wish in situation.wishes if wish.need is not None]
    highest = max(memory.window.largest, *needs)
    lowest = math.ceil(situation.bounded(highest))
    margin = behavior.tolerance_down * (_TURN if quiet < _LATER * length else 1.0)
    beyond = situation.beyond(base)
    enough = lowest < base and (beyond or highest <= base * (1.0 - margin))
    if not memory.window.full(now) or not enough or stepped or quiet < length:
        return base, Reason.WINDOW
    if deeds.rising and not may_turn(situation.policy, situation.turns, now):
        return base, Reason.REVERSALS
    share = max(1, math.floor(base * behavior.down_max_percent / 100.0))
    return max(lowest, base - share), Reason.AT_MAX if beyond else Reason.SCALED_DOWN


# -- the budget of direction changes, which bounds flapping, whatever causes it. A change upwards is
# never refused. One downwards, after one upwards, is a turn, and makes it likely that another
# follows: so it needs two turns to be left of the hour's budget.

HOUR_S = 3600.0


def known_turns(policy: Policy, history: History, now: float) -> tuple[float, ...]:
    """The turns, or the worst that may have been where nobody knows them."""
    if history.turns is not None:
        return history.turns
    if history.applied is None:
        return ()  # a target that was just taken over has none behind it
    return (now,) * policy.behavior.reversals_per_hour


def may_turn(policy: Policy, turns: tuple[float, ...], now: float) -> bool:
    """Whether the direction may turn down now."""
    recent = sum(at > now - HOUR_S for at in turns)
    return recent + 2 <= policy.behavior.reversals_per_hour


def turned(turns: tuple[float, ...], now: float) -> tuple[float, ...]:
    """With one more; those that no longer count are forgotten with it."""
    return (*(at for at in turns if at > now - HOUR_S), now)
