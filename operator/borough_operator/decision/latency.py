"""What a latency goal asks for: a queue's model, learned from the target, with a guard beside it.

The target is taken for M/M/c: its load is rate times duration, and each replica is worth some
servers of the queue. How many is learned: while the measured quantile holds, the present replicas
are worth at least the servers that such a load needs; while it does not, they are worth less. The
guard is the measured quantile itself: while it is too long, more is asked for than there is,
whatever the model says. If two raises did not help, the bottleneck is elsewhere: no more is asked
for than there was before them, until the objective holds again or more requests come.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision import queueing
from borough_operator.decision.memory import Latency, Memory, Trial
from borough_operator.decision.model import Freshness, Goal, Measure, Need, Observation, Reading

LATEST = 300.0
"""Seconds after a raise from which nothing is learned from it any more."""
SETTLE = 30.0
"""Seconds from the last new replica's readiness to a quantile that is measured without the time
before: the windows of histograms reach back so far."""
_HELPED = 0.9
"""A raise that helped brings the quantile to this share of what it was, or below."""
_LESS = 0.9
"""What a replica is thought to be worth once it missed the objective, of what it was just asked."""
_ENOUGH = 2
"""Raises in a row that did not help, until no more are made."""
_FAR = 2.0
"""Times the objective beyond which a quantile is far too long."""
_AT_MOST = 2.0
"""Times the present size that one raise comes to: what is too small tells little of what is not."""
_MORE = 1.1
"""Times the requests at which raises did not help; at more they are tried again."""


def needs(goal: Goal) -> tuple[Need, ...]:
    """What a latency goal reads."""
    return Need(Measure.QUANTILE, goal.quantile), Need(Measure.DURATION), Need(Measure.RATE)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the target's speed comes to."""

    replicas: float
    missed: bool
    """Whether the measured quantile is above its objective."""
    saturated: bool
    """Whether more replicas were shown not to help."""
    formula: str


def estimate(
    goal: Goal,
    observation: Observation,
    readings: tuple[Reading, ...],
    learned: Latency,
    *,
    counted: bool,
) -> tuple[Estimate, Latency]:
    """Replicas for the objective, and what was learned; of three fresh readings, as in `needs`.
    `counted` says that another goal answers for the requests that wait.
    """
    quantile, duration, rate = (reading.value for reading in readings)
    ready = max(1, observation.ready)
    missed = quantile > goal.objective
    service = duration if learned.service is None else learned.service
    service = min(duration, service) if missed else duration
    load = rate * service
    share = 1.0 - float(goal.quantile)
    # An exponential service keeps the share below ln(1/(1-q)) means; the rest is left for waiting.
    patience = max(0.0, goal.objective / service + math.log(share)) if service else 0.0
    servers = queueing.servers_for(load, patience, share)
    worth = _worth(learned.servers, servers / ready, missed=missed)
    replicas = servers / worth
    formula = (
        f"{servers}/{worth:.2f} = {replicas:.2f}, {servers} servers for "
        f"{rate:.6g}/s * {service:.3g} s = {load:.3g}"
    )
    unhelpful = learned.unhelpful if missed and rate <= _MORE * learned.rate else 0
    learned = replace(learned, servers=worth, service=service, unhelpful=unhelpful)
    if not missed:
        return Estimate(replicas, missed=False, saturated=False, formula=formula), learned
    if unhelpful >= _ENOUGH:
        useful = float(learned.useful)
        formula = f"{useful:.0f}, since more did not help against {quantile:.3g} s"
        return Estimate(useful, missed=True, saturated=True, formula=formula), learned
    present = observation.replicas
    # A little too long is left to the model and one more; far too long is a queue that grows, which
    # whoever counts it knows better.
    raised = 0.0 if counted else present * quantile / goal.objective / _FAR
    formula += f", and more than {present}, since {quantile:.3g} s is too long"
    replicas = max(min(max(replicas, raised), _AT_MOST * present), present + 1.0)
    return Estimate(replicas, missed=True, saturated=False, formula=formula), learned


def _worth(known: float | None, shown: float, *, missed: bool) -> float:
    """Servers that a replica is worth, never less than one."""
    if missed:
        limit = _LESS * shown
        return max(1.0, limit if known is None else min(known, limit))
    return max(1.0, shown if known is None else max(known, shown))


def worst(readings: tuple[Reading, ...]) -> Reading:
    """The reading that can be trusted least; the oldest of fresh ones."""
    order = list(Freshness)
    return max(readings, key=lambda reading: (order.index(reading.freshness), reading.age))


def judged(
    goal: Goal, memory: Memory, observation: Observation, readings: tuple[Reading, ...], now: float
) -> Memory:
    """With the last raise for this goal judged, once its replicas were ready for long enough.

    It says nothing where the load of each replica did not fall, or where they never were.
    """
    trial = memory.last_actions.trials.get(goal.identity)
    if trial is None:
        return memory
    quantile, _, rate = readings
    trials = dict(memory.last_actions.trials)
    if observation.ready < observation.replicas:
        trials[goal.identity] = replace(trial, ready_at=None)
    elif trial.ready_at is None:
        trials[goal.identity] = replace(trial, ready_at=now)
    elif now - quantile.age >= trial.ready_at + SETTLE:
        del trials[goal.identity]
        if rate.value < trial.rate * observation.ready:
            known = memory.latency(goal.identity)
            learned = _judged(trial, quantile.value, rate.value, known)
            memory = memory.learned(goal.identity, learned)
    return memory.trying(trials)


def _judged(trial: Trial, quantile: float, rate: float, learned: Latency) -> Latency:
    if quantile <= _HELPED * trial.quantile:
        return replace(learned, unhelpful=0)
    useful = learned.useful if learned.unhelpful else trial.replicas
    return replace(learned, unhelpful=learned.unhelpful + 1, useful=useful, rate=rate)
