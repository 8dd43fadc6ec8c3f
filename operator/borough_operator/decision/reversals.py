"""How often may the direction change? The budget of reversals bounds flapping, whatever causes it.

A change upwards is never refused. One downwards, after one upwards, is a reversal, and makes it
likely that another follows: so it needs two reversals to be left of the hour's budget.
"""

from borough_operator.decision.model import History, Policy

_HOUR = 3600.0


def known(policy: Policy, history: History, now: float) -> tuple[float, ...]:
    """The reversals, or the worst that may have been where nobody knows them."""
    if history.reversals is not None:
        return history.reversals
    if history.applied is None:
        return ()  # a target that was just taken over has none behind it
    return (now,) * policy.behavior.reversals_per_hour


def may(policy: Policy, reversals: tuple[float, ...], now: float) -> bool:
    """Whether the direction may turn down now."""
    recent = sum(at > now - _HOUR for at in reversals)
    return recent + 2 <= policy.behavior.reversals_per_hour


def added(reversals: tuple[float, ...], now: float) -> tuple[float, ...]:
    """With one more; those that no longer count are forgotten with it."""
    return (*(at for at in reversals if at > now - _HOUR), now)
