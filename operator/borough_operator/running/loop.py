"""The evaluation loop: scalers that are due are read for, decided, and written where something
changed.

The loop waits for no I/O. Due scalers with the same queries are read together in one task; a scaler
that reads pods or has a query of its own has its own task, so that a source that hangs delays no
other. A scaler in work is not due, so it never runs twice at once. A failure is retried at the next
evaluation from the state of then; nothing is queued.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, NoReturn, TypeVar

import structlog

from borough_operator.decision.decide import decide, no_decision
from borough_operator.decision.goals import needs
from borough_operator.decision.model import (
    Decision,
    Freshness,
    Measure,
    Mode,
    Need,
    Observation,
    Reading,
    Reason,
)
from borough_operator.kube import targets
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.telemetry import Telemetry
from borough_operator.running.watched import Name
from borough_operator.running.writer import Writer
from borough_operator.sources.protocol import Ask, Source

Key = TypeVar("Key")

BATCH_S = 0.1
"""Seconds within which due scalers are read together."""
PROMPT_S = 1.0
"""Seconds within which a new or changed scaler is evaluated."""
UNREADABLE_INTERVAL_S = 30.0
"""Interval of a scaler whose own cannot be read."""
DECISIONS_PER_YIELD = 25
"""Decisions until other tasks may run, a few milliseconds."""
PROMETHEUS = "Prometheus"

_log = structlog.get_logger()


class Schedule(Generic[Key]):
    """When each key is due: one heap; a key that is being worked on is not in it.

    A timer for each scaler would need a task or two, and after a start all of them would fire at
    once. Here a scaler is first due at a random time within its interval, which spreads the load
    for good, and then at multiples of the interval from there. `chance` returns numbers in [0, 1).
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0  # keeps the order of equal times; keys need not be comparable

    def __len__(self) -> int:
        return len(self._due)

    def spread(self, key: Key, now: float, interval: float) -> None:
        """Make it due at a random time of the next `interval` seconds."""
        self.put(key, now + self._chance() * interval)

    def put(self, key: Key, due: float) -> None:
        self._due[key] = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, key))

    def forget(self, key: Key) -> None:
        """Remove it; it may be unknown."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """When the next key is due; None where there is none."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # rescheduled or forgotten
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[tuple[Key, float]]:
        """Remove and return all keys that are due, with their due times."""
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key, due


def step_after(due: float, now: float, interval: float) -> float:
    """The first multiple of the interval after `due` that is not in the past. After a slow
    evaluation, missed ones are skipped.
    """
    missed = max(0.0, now - due) // interval
    return due + (missed + 1) * interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    entry: Entry
    due: float
    source: str
    asks: tuple[Ask, ...]


@dataclass(eq=False)
class Loop:
    """Evaluates all scalers of a registry. `sources` are by their name in specs; `chance` returns
    numbers in [0, 1).
    """

    registry: Registry
    sources: Mapping[str, Source]
    writer: Writer
    telemetry: Telemetry
    _: KW_ONLY
    clock: Callable[[], float]
    chance: Callable[[], float]

    def __post_init__(self) -> None:
        self._schedule: Schedule[Name] = Schedule(self.chance)
        self._working: set[Name] = set()
        self._prompted: set[Name] = set()
        self._changed: set[Name] = set()  # while they were being worked on
        self._tasks: set[asyncio.Task[None]] = set()
        self.heartbeat = self.clock()
        """When the loop last ran."""

    async def run(self) -> NoReturn:
        self.schedule_all()
        while True:
            self.start_due()
            await asyncio.sleep(BATCH_S)

    def schedule_all(self) -> None:
        """Schedule all scalers, spread over their intervals, and follow later changes."""
        now = self.clock()
        for entry in self.registry:
            self._schedule.spread(entry.record.name, now, _interval(entry))
        self.registry.added = self._evaluate_soon
        self.registry.removed = self._forget

    def start_due(self) -> None:
        self.heartbeat = now = self.clock()
        due = list(self._schedule.take(now))
        self._working.update(name for name, _ in due)
        evaluations = [_evaluation(self.registry.entries[name], moment) for name, moment in due]
        for together in _grouped(evaluations):
            self._start(self._evaluate(together))

    async def drain(self) -> None:
        """Wait for all started evaluations."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancel all started evaluations; the next process repeats interrupted writes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _evaluate_soon(self, name: Name) -> None:
        if name in self._working:
            self._changed.add(name)
        else:
            self._prompted.add(name)
            self._schedule.spread(name, self.clock(), PROMPT_S)

    def _forget(self, name: Name) -> None:
        self._schedule.forget(name)
        self._prompted.discard(name)
        self._changed.discard(name)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _evaluate(self, evaluations: Sequence[Evaluation]) -> None:
        """Read for these scalers, then decide for each."""
        started = self.clock()
        for evaluation in evaluations:
            self.telemetry.decision_started(started - evaluation.due)
        readings = await self._read(evaluations)
        for number, evaluation in enumerate(evaluations, 1):
            self._decide(evaluation, readings)
            if number % DECISIONS_PER_YIELD == 0:
                await asyncio.sleep(0)

    async def _read(self, evaluations: Sequence[Evaluation]) -> Mapping[Ask, Reading]:
        asks = [ask for evaluation in evaluations for ask in evaluation.asks]
        if not asks:
            return {}
        name = next(evaluation.source for evaluation in evaluations if evaluation.asks)
        source = self.sources.get(name)
        if source is None:
            detail = f"the source {name} is disabled in this operator"
            return dict.fromkeys(asks, Reading(Freshness.ERROR, detail=detail))
        began = time.perf_counter()
        readings = await source.read(asks)
        self.telemetry.source_read(name, readings, time.perf_counter() - began)
        return readings

    def _decide(self, evaluation: Evaluation, readings: Mapping[Ask, Reading]) -> None:
        entry, now = evaluation.entry, self.clock()
        if self.registry.entries.get(entry.record.name) is not entry:
            self._finish(evaluation)
            return
        try:
            began, before = time.perf_counter(), entry.history
            own = {ask.need: readings[ask] for ask in evaluation.asks}
            decision, observation = evaluate(self.registry, entry, own, now)
            self.registry.decided(entry, decision, now)
            self.telemetry.decision_made(decision, time.perf_counter() - began)
            pending_write = self.writer.pending_write(entry, observation, before)
        except Exception:  # noqa: BLE001  # other scalers are not affected
            _log.exception("a decision failed", scaler="/".join(entry.record.name))
            pending_write = None
        if pending_write is None:
            self._finish(evaluation)
        else:
            self._start(self._write(evaluation, pending_write))

    async def _write(
        self, evaluation: Evaluation, pending_write: Coroutine[Any, Any, None]
    ) -> None:
        try:
            await pending_write
        except Exception:  # noqa: BLE001  # as above
            _log.exception("a write failed", scaler="/".join(evaluation.entry.record.name))
        finally:
            self._finish(evaluation)

    def _finish(self, evaluation: Evaluation) -> None:
        """Schedule the next evaluation: at the next interval, or soon after a change."""
        name = evaluation.entry.record.name
        self._working.discard(name)
        entry = self.registry.entries.get(name)
        if entry is not evaluation.entry or name in self._changed:
            self._changed.discard(name)
            if entry is not None:
                self._evaluate_soon(name)
        elif name in self._prompted:  # spread, since many may have been added at once
            self._prompted.discard(name)
            self._schedule.spread(name, self.clock(), _interval(entry))
        else:
            self._schedule.put(name, step_after(evaluation.due, self.clock(), _interval(entry)))


def _evaluation(entry: Entry, due: float) -> Evaluation:
    scaler = entry.record.scaler
    if scaler is None or scaler.policy.mode is Mode.PAUSED:
        return Evaluation(entry, due, "", ())
    asks = tuple(Ask(scaler.target, need) for need in needs(scaler.policy))
    return Evaluation(entry, due, scaler.source, asks)


def _grouped(evaluations: Iterable[Evaluation]) -> Iterator[Sequence[Evaluation]]:
    """Evaluations with the queries of all scalers together, and each of the others alone."""
    shared = []
    for evaluation in evaluations:
        queries = any(ask.need.measure is Measure.QUERY for ask in evaluation.asks)
        if not evaluation.asks or (evaluation.source == PROMETHEUS and not queries):
            shared.append(evaluation)
        else:
            yield (evaluation,)
    if shared:
        yield shared


def _interval(entry: Entry) -> float:
    scaler = entry.record.scaler
    return UNREADABLE_INTERVAL_S if scaler is None else scaler.policy.behavior.interval


def evaluate(
    registry: Registry, entry: Entry, readings: Mapping[Need, Reading], now: float
) -> tuple[Decision, Observation | None]:
    """The decision, and the observation of the target: None where it is missing or unreadable."""
    scaler, history = entry.record.scaler, entry.history
    if scaler is None:
        return no_decision(Reason.SPEC_INVALID, entry.record.refusal, history), None
    target, workload = scaler.target, registry.workload(scaler.target)
    what = f"{target.kind} {target.name}"
    if (first := registry.conflicting(scaler)) is not None:
        sentence = f"{what} is scaled by ServiceScaler {first[1]} already; use mode Advise"
        return no_decision(Reason.SPEC_INVALID, sentence, history), None
    if sentence := registry.unreadable_reason(target):
        return no_decision(Reason.TARGET_UNREADABLE, sentence, history), None
    if workload is None:
        sentence = f"there is no {what} in namespace {target.namespace}"
        return no_decision(Reason.TARGET_MISSING, sentence, history), None
    newest = registry.newest_replica_set(workload)
    observation = targets.observation(workload, newest, readings, scaler.resume, now)
    return decide(scaler.policy, observation, history, now), observation
