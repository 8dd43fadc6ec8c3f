"""The evaluation loop: scalers that are due are read for, decided, and written where something
changed.

The loop waits for no I/O. Due scalers with the same queries are read together in one task; a scaler
that reads pods or has a query of its own has its own task, so that a source that hangs delays no
other. A scaler in work is not due, so it never runs twice at once. A failure is retried at the next
evaluation from the state of then; nothing is queued.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from borough_operator.decision.goals import needs
from borough_operator.decision.model import Freshness, Measure, Mode, Reading
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.schedule import Schedule, step_after
from borough_operator.running.telemetry import Telemetry
from borough_operator.running.verdict import evaluate
from borough_operator.running.watched import Name
from borough_operator.running.writer import Writer
from borough_operator.sources.protocol import Ask, Source

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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a due scaler."""

    entry: Entry
    due: float
    source: str
    asks: tuple[Ask, ...]

    @property
    def shared(self) -> bool:
        """Whether its needs are read with the queries of all scalers."""
        queries = any(ask.need.measure is Measure.QUERY for ask in self.asks)
        return not self.asks or (self.source == PROMETHEUS and not queries)


class Loop:
    """Evaluates all scalers of a registry. `sources` are by their name in specs; `chance` returns
    numbers in [0, 1).
    """

    def __init__(  # noqa: PLR0913  # its collaborators
        self,
        registry: Registry,
        sources: Mapping[str, Source],
        writer: Writer,
        telemetry: Telemetry,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._sources = sources
        self._writer = writer
        self._telemetry = telemetry
        self._clock = clock
        self._schedule: Schedule[Name] = Schedule(chance)
        self._working: set[Name] = set()
        self._prompted: set[Name] = set()
        self._changed: set[Name] = set()  # while they were being worked on
        self._tasks: set[asyncio.Task[None]] = set()
        self.heartbeat = clock()
        """When the loop last ran."""

    async def run(self) -> NoReturn:
        """Evaluate until cancelled."""
        self.schedule_all()
        while True:
            self.start_due()
            await asyncio.sleep(BATCH_S)

    def schedule_all(self) -> None:
        """Schedule all scalers, spread over their intervals, and follow later changes."""
        now = self._clock()
        for entry in self._registry:
            self._schedule.spread(entry.record.name, now, _interval(entry))
        self._registry.added = self._evaluate_soon
        self._registry.removed = self._forget

    def start_due(self) -> None:
        """Start the evaluations that are due."""
        self.heartbeat = now = self._clock()
        due = list(self._schedule.take(now))
        self._working.update(name for name, _ in due)
        evaluations = [_evaluation(self._registry.entries[name], moment) for name, moment in due]
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
            self._schedule.spread(name, self._clock(), PROMPT_S)

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
        started = self._clock()
        for evaluation in evaluations:
            self._telemetry.decision_started(started - evaluation.due)
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
        source = self._sources.get(name)
        if source is None:
            disabled = Reading(
                Freshness.ERROR, detail=f"the source {name} is disabled in this operator"
            )
            return dict.fromkeys(asks, disabled)
        began = time.perf_counter()
        readings = await source.read(asks)
        self._telemetry.source_read(name, readings, time.perf_counter() - began)
        return readings

    def _decide(self, evaluation: Evaluation, readings: Mapping[Ask, Reading]) -> None:
        """Decide, and start a task for the write where there is one."""
        entry, now = evaluation.entry, self._clock()
        if self._registry.entries.get(entry.record.name) is not entry:
            self._finish(evaluation)
            return
        try:
            began, before = time.perf_counter(), entry.history
            own = {ask.need: readings[ask] for ask in evaluation.asks}
            decision, observation = evaluate(self._registry, entry, own, now)
            self._registry.decided(entry, decision, now)
            self._telemetry.decision_made(decision, time.perf_counter() - began)
            pending_write = self._writer.pending_write(entry, observation, before)
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
        entry = self._registry.entries.get(name)
        if entry is not evaluation.entry or name in self._changed:
            self._changed.discard(name)
            if entry is not None:
                self._evaluate_soon(name)
        elif name in self._prompted:  # spread, since many may have been added at once
            self._prompted.discard(name)
            self._schedule.spread(name, self._clock(), _interval(entry))
        else:
            self._schedule.put(name, step_after(evaluation.due, self._clock(), _interval(entry)))


def _evaluation(entry: Entry, due: float) -> Evaluation:
    scaler = entry.record.scaler
    if scaler is None or scaler.policy.mode is Mode.PAUSED:
        return Evaluation(entry, due, "", ())
    asks = tuple(Ask(scaler.target, need) for need in needs(scaler.policy))
    return Evaluation(entry, due, scaler.source, asks)


def _grouped(evaluations: Iterable[Evaluation]) -> Iterator[Sequence[Evaluation]]:
    """Evaluations with shared queries together, and each of the others alone."""
    shared = []
    for evaluation in evaluations:
        if evaluation.shared:
            shared.append(evaluation)
        else:
            yield (evaluation,)
    if shared:
        yield shared


def _interval(entry: Entry) -> float:
    scaler = entry.record.scaler
    return UNREADABLE_INTERVAL_S if scaler is None else scaler.policy.behavior.interval
