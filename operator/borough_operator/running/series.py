"""The series of each scaler, written from the registry at each scrape; nothing is stored.

A scrape of ten thousand scalers has a quarter of a million lines. They are made a few hundred
scalers at a time, with other tasks in between, so that a scrape delays no decision. A deleted
scaler has no series any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from borough_operator.decision.model import Decision, Proposal, Reason
from borough_operator.kube import targets
from borough_operator.kube.spec import Scaler
from borough_operator.running import signals
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.signals import Signal
from borough_operator.running.tally import Tally

BATCH = 250
"""Scalers whose lines of one metric are written at once, a millisecond or two."""
NOT_OURS = frozenset({Reason.MANUAL_HOLD, Reason.CONTESTED})
"""Reasons with which the number is left alone, whatever the goals demand."""

Sample = tuple[str, float]
"""The labels beside the scaler's, as text, and the value."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scaler and its target at the time of a scrape."""

    place: str
    """Its labels `namespace` and `scaler`, as text."""
    entry: Entry
    current: int | None
    ready: int | None

    @property
    def scaler(self) -> Scaler | None:
        return self.entry.record.scaler

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        return () if self.entry.decision is None else self.entry.decision.proposals


Samples = Callable[[Row], Iterator[Sample]]


async def pages(registry: Registry) -> AsyncIterator[bytes]:
    """The series of all scalers, in Prometheus's text format."""
    rows = [_row(registry, entry) for entry in registry]
    for signal, samples in _SERIES.items():
        kind = "gauge" if signal.kind == "info" else signal.kind
        yield f"# HELP {signal.series} {signal.help}\n# TYPE {signal.series} {kind}\n".encode()
        for first in range(0, len(rows), BATCH):
            yield "".join(
                f"{signal.series}{{{row.place}{labels}}} {value}\n"
                for row in rows[first : first + BATCH]
                for labels, value in samples(row)
            ).encode()
            await asyncio.sleep(0)


def _row(registry: Registry, entry: Entry) -> Row:
    (namespace, name), scaler = entry.record.name, entry.record.scaler
    place = f'namespace="{namespace}",scaler="{name}"'
    workload = None if scaler is None else registry.workload(scaler.target)
    if workload is None:
        return Row(place, entry, None, None)
    ready = targets.ready_of_newest(workload, registry.newest_replica_set(workload))
    return Row(place, entry, workload.replicas, ready)


def _label(name: str, value: str) -> str:
    """A label as text. Values are names of Kubernetes objects, goals or closed lists, which need no
    escaping.
    """
    return f',{name}="{value}"'


# -- the samples of each metric


def _info(row: Row) -> Iterator[Sample]:
    if (scaler := row.scaler) is not None:
        kind, target = _label("kind", scaler.target.kind), _label("target", scaler.target.name)
        yield kind + target + _label("mode", scaler.policy.mode), 1


def _current(row: Row) -> Iterator[Sample]:
    if row.current is not None:
        yield "", row.current


def _ready(row: Row) -> Iterator[Sample]:
    if row.ready is not None:
        yield "", row.ready


def _of_scaler(value: Callable[[Scaler], float]) -> Samples:
    def samples(row: Row) -> Iterator[Sample]:
        if row.scaler is not None:
            yield "", value(row.scaler)

    return samples


def _of_decision(value: Callable[[Decision, Scaler], float | None]) -> Samples:
    def samples(row: Row) -> Iterator[Sample]:
        decision, scaler = row.entry.decision, row.scaler
        number = None if decision is None or scaler is None else value(decision, scaler)
        if number is not None:
            yield "", number

    return samples


def advised(decision: Decision, scaler: Scaler) -> int | None:
    """What the decision would be if the number were not left alone."""
    if decision.reason not in NOT_OURS or decision.raw is None:
        return decision.final
    return min(max(decision.raw, scaler.policy.min_replicas), scaler.policy.max_replicas)


def _reason(row: Row) -> Iterator[Sample]:
    if row.entry.decision is not None:
        yield _label("reason", row.entry.decision.reason), 1


def _conditions(row: Row) -> Iterator[Sample]:
    for condition, holds in row.entry.conditions.items():
        yield _label("condition", condition), int(holds)


def _goal_replicas(row: Row) -> Iterator[Sample]:
    for proposal in row.proposals:
        if proposal.replicas is not None:
            yield _label("goal", proposal.goal), proposal.replicas


def _goal_value(row: Row) -> Iterator[Sample]:
    for proposal in row.proposals:
        if proposal.value is not None:
            yield _label("goal", proposal.goal), proposal.value


def _goal_freshness(row: Row) -> Iterator[Sample]:
    for proposal in row.proposals:
        yield _label("goal", proposal.goal) + _label("freshness", proposal.freshness), 1


def _metric_age(row: Row) -> Iterator[Sample]:
    for proposal in row.proposals:
        if proposal.age is not None:
            yield _label("goal", proposal.goal), proposal.age


def _of_tally(*counters: tuple[str, Callable[[Tally], float]]) -> Samples:
    """Counters, each with its labels, from 0."""

    def samples(row: Row) -> Iterator[Sample]:
        for labels, value in counters:
            yield labels, value(row.entry.tally)

    return samples


OURS, HPA, MOST = (_label("policy", policy) for policy in ("scaler", "hpa", "max"))
_SERIES: Mapping[Signal, Samples] = {
    signals.SCALER_INFO: _info,
    signals.CURRENT: _current,
    signals.READY: _ready,
    signals.DESIRED: _of_decision(lambda decision, _: decision.final),
    signals.ADVISED: _of_decision(advised),
    signals.MINIMUM: _of_scaler(lambda scaler: scaler.policy.min_replicas),
    signals.MAXIMUM: _of_scaler(lambda scaler: scaler.policy.max_replicas),
    signals.HPA: _of_decision(lambda decision, _: decision.hpa),
    signals.REASON: _reason,
    signals.CONDITION: _conditions,
    signals.GOAL_REPLICAS: _goal_replicas,
    signals.GOAL_VALUE: _goal_value,
    signals.GOAL_FRESHNESS: _goal_freshness,
    signals.METRIC_AGE: _metric_age,
    signals.REPLICA_SECONDS: _of_tally(
        (OURS, attrgetter("ours")), (HPA, attrgetter("hpa")), (MOST, attrgetter("most"))
    ),
    signals.CORE_SECONDS: _of_tally(
        (OURS, attrgetter("ours_cores")),
        (HPA, attrgetter("hpa_cores")),
        (MOST, attrgetter("most_cores")),
    ),
    signals.CHANGES: _of_tally(
        (_label("direction", "up"), attrgetter("ups")),
        (_label("direction", "down"), attrgetter("downs")),
    ),
    signals.REVERSALS: _of_tally(("", attrgetter("reversals"))),
}
