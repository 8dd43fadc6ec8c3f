"""Replicas for a latency objective: a queueing model learned from the target, and a guard.

The target is modelled as M/M/c: its load is rate times duration, and each replica is worth a number
of servers that is learned. While the measured quantile meets the objective, the present replicas
are worth at least the servers that the load needs; while it does not, they are worth less. The
guard is the measured quantile: while it is above the objective, more replicas than the present ones
are demanded, whatever the model says. If two raises did not improve it the bottleneck is elsewhere:
no more than the replicas before them are demanded, until the objective is met or the rate grows.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision import queueing
from borough_operator.decision.memory import Latency, Memory, Trial
from borough_operator.decision.model import Freshness, Goal, Measure, Need, Observation, Reading

TRIAL_EXPIRY = 300.0
"""Seconds after a raise until its trial is dropped without a result."""
SETTLE = 30.0
"""Seconds from the readiness of all new replicas to the first quantile that includes no earlier
requests: the windows of histograms reach back so far."""
_IMPROVEMENT = 0.9
"""A raise helped if it brought the quantile to this share of its earlier value, or below."""
_AFTER_MISS = 0.9
"""Factor of the servers that each replica was needed to be worth, once the objective was missed."""
_MAX_UNHELPFUL = 2
"""Consecutive raises without improvement after which no more are made."""
_FAR_ABOVE = 2.0
"""Factor of the objective from which a quantile is far too long."""
_MAX_FACTOR = 2.0
"""Factor of the present size that one raise may reach: measurements of a much smaller target
predict little."""
_RETRY_RATE = 1.1
"""Factor of the rate of the last unhelpful raise above which raises are tried again."""


def needs(goal: Goal) -> tuple[Need, ...]:
    """The quantities that a latency goal reads: quantile, mean duration and rate."""
    return Need(Measure.QUANTILE, goal.quantile), Need(Measure.DURATION), Need(Measure.RATE)


@dataclass(frozen=True, slots=True)
class Estimate:
    replicas: float
    missed: bool
    """Whether the measured quantile is above its objective."""
    saturated: bool
    """Whether earlier raises did not improve the quantile."""
    formula: str


def estimate(
    goal: Goal,
    observation: Observation,
    readings: tuple[Reading, ...],
    learned: Latency,
    *,
    queue_counted: bool,
) -> tuple[Estimate, Latency]:
    """Replicas for the objective, and what was learned.

    Args: `readings` are the three fresh readings of `needs`, in that order; `queue_counted` says
    that another goal accounts for waiting requests.
    """
    quantile, duration, rate = (reading.value for reading in readings)
    ready = max(1, observation.ready)
    missed = quantile > goal.objective
    service = duration if learned.service is None else learned.service
    service = min(duration, service) if missed else duration
    load = rate * service
    share = 1.0 - float(goal.quantile)
    # An exponential service time has its quantile at ln(1/(1-q)) means; waiting may take the rest.
    wait = max(0.0, goal.objective / service + math.log(share)) if service else 0.0
    servers = queueing.servers_for(load, wait, share)
    per_replica = _servers_per_replica(learned.servers, servers / ready, missed=missed)
    replicas = servers / per_replica
    formula = (
        f"{servers}/{per_replica:.2f} = {replicas:.2f}, {servers} servers for "
        f"{rate:.6g}/s * {service:.3g} s = {load:.3g}"
    )
    unhelpful = learned.unhelpful if missed and rate <= _RETRY_RATE * learned.rate else 0
    learned = replace(learned, servers=per_replica, service=service, unhelpful=unhelpful)
    if not missed:
        return Estimate(replicas, missed=False, saturated=False, formula=formula), learned
    if unhelpful >= _MAX_UNHELPFUL:
        useful = float(learned.useful)
        formula = f"{useful:.0f}, since more did not reduce the {quantile:.3g} s"
        return Estimate(useful, missed=True, saturated=True, formula=formula), learned
    present = observation.replicas
    # Slightly above the objective, the model and one replica more are enough. Far above it a queue
    # grows, which a goal that counts it estimates better.
    raised = 0.0 if queue_counted else present * quantile / goal.objective / _FAR_ABOVE
    formula += f", and more than {present}, since {quantile:.3g} s exceeds the objective"
    replicas = max(min(max(replicas, raised), _MAX_FACTOR * present), present + 1.0)
    return Estimate(replicas, missed=True, saturated=False, formula=formula), learned


def _servers_per_replica(known: float | None, shown: float, *, missed: bool) -> float:
    """The learned number of servers that a replica is worth, at least one."""
    if missed:
        limit = _AFTER_MISS * shown
        return max(1.0, limit if known is None else min(known, limit))
    return max(1.0, shown if known is None else max(known, shown))


def worst(readings: tuple[Reading, ...]) -> Reading:
    """The least fresh reading; of fresh ones the oldest."""
    order = list(Freshness)
    return max(readings, key=lambda reading: (order.index(reading.freshness), reading.age))


def evaluate_trial(
    goal: Goal, memory: Memory, observation: Observation, readings: tuple[Reading, ...], now: float
) -> Memory:
    """The memory after the goal's last raise was evaluated, once its replicas were ready for
    `SETTLE` seconds.

    Nothing is learned where the load per replica did not fall, or where the replicas never became
    ready.
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
            known = memory.latencies.get(goal.identity, Latency())
            learned = _learn(trial, quantile.value, rate.value, known)
            memory = replace(memory, latencies={**memory.latencies, goal.identity: learned})
    return memory.with_trials(trials)


def _learn(trial: Trial, quantile: float, rate: float, learned: Latency) -> Latency:
    if quantile <= _IMPROVEMENT * trial.quantile:
        return replace(learned, unhelpful=0)
    useful = learned.useful if learned.unhelpful else trial.replicas
    return replace(learned, unhelpful=learned.unhelpful + 1, useful=useful, rate=rate)
