"""One question at a time: what many want to know is asked once, and its answer shared for a while.

Ten thousand scalers that look at the same moment cost one question each way, and one that hangs
delays whoever waits for it once: from then on nobody waits for it longer than a moment, until it
answers again. Questions that hang wait among themselves for a turn, never before those that answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOMENT = 0.25
"""Seconds that anybody waits for a question that did not answer the last time."""
FORGET_AFTER = 300.0
"""Seconds after which an answer that nobody asks for is forgotten."""


@dataclass(slots=True)
class _Question(Generic[V]):
    asked: float
    answer: V | None = None
    answered: float = float("-inf")
    hangs: bool = False
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Of the task there is."""


class Shared(Generic[K, V]):
    """Answers by question. `ask` must not raise.

    In seconds, an answer is shared `for_seconds`, a question has `patience` once it has its turn,
    and whoever wants to know has `wait`. `at_once` are asked, and a quarter as many that hang.
    """

    def __init__(  # noqa: PLR0913  # its bounds, each by name
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        for_seconds: float,
        patience: float,
        wait: float,
        at_once: int,
        clock: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._for_seconds = for_seconds
        self._patience = patience
        self._wait = wait
        self._clock = clock
        self._turns = asyncio.Semaphore(at_once)
        self._turns_of_the_hanging = asyncio.Semaphore(max(1, at_once // 4))
        self._questions: dict[K, _Question[V]] = {}
        self._swept = clock()

    async def get(self, keys: Iterable[K]) -> dict[K, V | None]:
        """An answer for every key, or None where there is none in time."""
        now = self._clock()
        self._sweep(now)
        questions = {key: self._question(key, now) for key in keys}
        open_ones = [question for question in questions.values() if question.task]
        if open_ones:
            prompt = [question.ended for question in open_ones if not question.hangs]
            await _all_set([question.ended for question in open_ones], MOMENT)
            await _all_set(prompt, self._wait - MOMENT)
        return {
            key: question.answer if self._holds(question, now) else None
            for key, question in questions.items()
        }

    async def close(self) -> None:
        """Ask no more."""
        tasks = [question.task for question in self._questions.values() if question.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _question(self, key: K, now: float) -> _Question[V]:
        question = self._questions.setdefault(key, _Question(now))
        question.asked = now
        if question.task is None and not self._holds(question, now):
            question.ended = asyncio.Event()
            question.task = asyncio.create_task(self._find_out(key, question))
        return question

    def _holds(self, question: _Question[V], now: float) -> bool:
        """Whether its answer is good for somebody who asked at that moment."""
        return now - question.answered <= self._for_seconds

    async def _find_out(self, key: K, question: _Question[V]) -> None:
        answer = None
        try:
            async with self._turns_of_the_hanging if question.hangs else self._turns:
                try:
                    async with asyncio.timeout(self._patience):
                        answer = await self._ask(key)
                except TimeoutError:
                    question.hangs = True
                else:
                    question.hangs = False
        finally:
            question.answer, question.answered, question.task = answer, self._clock(), None
            question.ended.set()

    def _sweep(self, now: float) -> None:
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            self._questions = {
                key: question
                for key, question in self._questions.items()
                if question.task or now - question.asked <= FORGET_AFTER
            }


async def _all_set(events: Iterable[asyncio.Event], within: float) -> None:
    """Wait until all are set, or the seconds are over.

    Events, because thousands may wait for one question: to leave a task's callbacks, each would
    search them all.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            for event in events:
                await event.wait()
