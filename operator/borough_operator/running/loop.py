"""The one loop: who is due is read for, decided about and, where something changed, written.

Nothing that takes time is waited for here. Scalers that are due together and ask Prometheus for
the same families are read for together, in a task of their own; who reads pods or has a query of
its own is read for alone, so that what hangs holds up nobody else. A scaler that is being worked on
is not due, so it is never worked on twice at once. What fails is tried again at the next
evaluation, from the state of then: nothing is queued.
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
from borough_operator.running.verdict import verdict
from borough_operator.running.watched import Name
from borough_operator.running.writer import Writer
from borough_operator.sources.protocol import Ask, Source

BATCH_S = 0.1
"""Who is due within so long is read for together."""
PROMPT_S = 1.0
"""A scaler that is new, or wants something new, is decided about within so long."""
UNREADABLE_INTERVAL_S = 30.0
"""How often a scaler is looked at whose own interval cannot be read."""
IN_A_ROW = 25
"""Decisions in a row, until other tasks may run: a few milliseconds."""
PROMETHEUS = "Prometheus"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One scaler that is due."""

    entry: Entry
    due: float
    source: str
    asks: tuple[Ask, ...]

    @property
    def shared(self) -> bool:
        """Whether what it asks is asked for all scalers in the same few questions."""
        queries = any(ask.need.measure is Measure.QUERY for ask in self.asks)
        return not self.asks or (self.source == PROMETHEUS and not queries)


class Loop:
    """Runs all scalers of a registry. `sources` by the name that specs have for them; `chance`
    answers numbers in [0, 1).
    """

    def __init__(  # noqa: PLR0913  # what it brings together
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
        self.beat = clock()
        """When the loop last looked."""

    async def run(self) -> NoReturn:
        """Evaluate for ever."""
        self.begin()
        while True:
            self.begin_due()
            await asyncio.sleep(BATCH_S)

    def begin(self) -> None:
        """Spread whoever is there over their intervals, and follow those who come and go."""
        now = self._clock()
        for entry in self._registry:
            self._schedule.spread(entry.wanted.name, now, _interval(entry))
        self._registry.arrived = self._soon
        self._registry.left = self._forget

    def begin_due(self) -> None:
        """Begin what is due, and wait for none of it."""
        self.beat = now = self._clock()
        due = list(self._schedule.take(now))
        self._working.update(name for name, _ in due)
        evaluations = [_evaluation(self._registry.entries[name], moment) for name, moment in due]
        for together in _grouped(evaluations):
            self._start(self._serve(together))

    async def drain(self) -> None:
        """Wait for all that was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def abandon(self) -> None:
        """Give up what was begun: a write that was cut off is one that the next process looks for
        and finds, or makes.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _soon(self, name: Name) -> None:
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

    async def _serve(self, evaluations: Sequence[Evaluation]) -> None:
        """Read for them, and decide about one after the other."""
        began = self._clock()
        for evaluation in evaluations:
            self._telemetry.began(began - evaluation.due)
        readings = await self._read(evaluations)
        for number, evaluation in enumerate(evaluations, 1):
            self._conclude(evaluation, readings)
            if number % IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _read(self, evaluations: Sequence[Evaluation]) -> Mapping[Ask, Reading]:
        asks = [ask for evaluation in evaluations for ask in evaluation.asks]
        if not asks:
            return {}
        name = next(evaluation.source for evaluation in evaluations if evaluation.asks)
        source = self._sources.get(name)
        if source is None:
            off = Reading(Freshness.ERROR, detail=f"this operator runs without the source {name}")
            return dict.fromkeys(asks, off)
        began = time.perf_counter()
        readings = await source.read(asks)
        self._telemetry.read(name, readings, time.perf_counter() - began)
        return readings

    def _conclude(self, evaluation: Evaluation, readings: Mapping[Ask, Reading]) -> None:
        """Decide, and write in a task of its own where there is something to write."""
        entry, now = evaluation.entry, self._clock()
        if self._registry.entries.get(entry.wanted.name) is not entry:
            self._over(evaluation)
            return
        try:
            began, before = time.perf_counter(), entry.history
            mine = {ask.need: readings[ask] for ask in evaluation.asks}
            decision, observation = verdict(self._registry, entry, mine, now)
            self._registry.decided(entry, decision, now)
            self._telemetry.decided(decision, time.perf_counter() - began)
            pending_write = self._writer.pending_write(entry, observation, before)
        except Exception:  # noqa: BLE001  # one scaler's misfortune is nobody else's
            _log.exception("a decision failed", scaler="/".join(entry.wanted.name))
            pending_write = None
        if pending_write is None:
            self._over(evaluation)
        else:
            self._start(self._write(evaluation, pending_write))

    async def _write(
        self, evaluation: Evaluation, pending_write: Coroutine[Any, Any, None]
    ) -> None:
        try:
            await pending_write
        except Exception:  # noqa: BLE001  # as above
            _log.exception("a write failed", scaler="/".join(evaluation.entry.wanted.name))
        finally:
            self._over(evaluation)

    def _over(self, evaluation: Evaluation) -> None:
        """Its next evaluation comes at its next step; soon, if it wants something else by now, or
        if it is another scaler that took its name.
        """
        name = evaluation.entry.wanted.name
        self._working.discard(name)
        entry = self._registry.entries.get(name)
        if entry is not evaluation.entry or name in self._changed:
            self._changed.discard(name)
            if entry is not None:
                self._soon(name)
        elif name in self._prompted:  # perhaps with many others: from here on they are spread
            self._prompted.discard(name)
            self._schedule.spread(name, self._clock(), _interval(entry))
        else:
            self._schedule.put(name, step_after(evaluation.due, self._clock(), _interval(entry)))


def _evaluation(entry: Entry, due: float) -> Evaluation:
    scaler = entry.wanted.scaler
    if scaler is None or scaler.policy.mode is Mode.PAUSED:
        return Evaluation(entry, due, "", ())
    asks = tuple(Ask(scaler.target, need) for need in needs(scaler.policy))
    return Evaluation(entry, due, scaler.source, asks)


def _grouped(evaluations: Iterable[Evaluation]) -> Iterator[Sequence[Evaluation]]:
    """Those who share questions together, and each of the others alone."""
    shared = []
    for evaluation in evaluations:
        if evaluation.shared:
            shared.append(evaluation)
        else:
            yield (evaluation,)
    if shared:
        yield shared


def _interval(entry: Entry) -> float:
    scaler = entry.wanted.scaler
    return UNREADABLE_INTERVAL_S if scaler is None else scaler.policy.behavior.interval
