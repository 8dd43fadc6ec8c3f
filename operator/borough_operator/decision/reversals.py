"""The budget of reversals: how often the direction may change within an hour, which bounds
flapping.

A change upwards is always allowed. A removal after a raise is a reversal and makes another one
likely, so it needs two reversals left in the hour's budget.
"""

from borough_operator.decision.model import History, Policy

_HOUR = 3600.0


def known(policy: Policy, history: History, now: float) -> tuple[float, ...]:
    """The reversals; the whole budget where they are unknown."""
    if history.reversals is not None:
        return history.reversals
    if history.applied is None:
        return ()  # a target that was just taken over has none
    return (now,) * policy.behavior.reversals_per_hour


def allowed(policy: Policy, reversals: tuple[float, ...], now: float) -> bool:
    """Whether a removal may reverse the direction now."""
    recent = sum(at > now - _HOUR for at in reversals)
    return recent + 2 <= policy.behavior.reversals_per_hour


def added(reversals: tuple[float, ...], now: float) -> tuple[float, ...]:
    """With one more; those older than an hour are dropped."""
    return (*(at for at in reversals if at > now - _HOUR), now)
