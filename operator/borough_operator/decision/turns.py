"""The budget of direction changes: what bounds flapping, whatever causes it.

A change upwards is never refused. One downwards, after one upwards, is a turn, and makes it likely
that another follows: so it needs two turns to be left of the hour's budget.
"""

from borough_operator.decision.model import History, Policy

_HOUR = 3600.0


def known(policy: Policy, history: History, now: float) -> tuple[float, ...]:
    """The turns, or the worst that may have been where nobody knows them."""
    if history.turns is not None:
        return history.turns
    if history.applied is None:
        return ()  # a target that was just taken over has none behind it
    return (now,) * policy.behavior.reversals_per_hour


def may(policy: Policy, turns: tuple[float, ...], now: float) -> bool:
    """Whether the direction may turn down now."""
    recent = sum(at > now - _HOUR for at in turns)
    return recent + 2 <= policy.behavior.reversals_per_hour


def added(turns: tuple[float, ...], now: float) -> tuple[float, ...]:
    """With one more; those that no longer count are forgotten with it."""
    return (*(at for at in turns if at > now - _HOUR), now)
