"""When each scaler is due: one heap, with a random first time.

A timer for each scaler would need a task or two, and after a start all of them would fire at once.
Here a scaler is first due at a random time within its interval, which spreads the load for good,
and then at multiples of the interval from there. Pure: time and randomness are arguments.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Schedule(Generic[Key]):
    """Due times by key; a key that is being worked on is not in it.

    `chance` returns numbers in [0, 1), such as `random.random`.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0  # keeps the order of equal times; keys need not be comparable

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def __len__(self) -> int:
        return len(self._due)

    def spread(self, key: Key, now: float, interval: float) -> None:
        """Make it due at a random time of the next `interval` seconds."""
        self.put(key, now + self._chance() * interval)

    def put(self, key: Key, due: float) -> None:
        """Make it due at that time only."""
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
