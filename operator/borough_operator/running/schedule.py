"""When each scaler is due: one heap for all of them, and a first moment drawn by chance.

A timer of its own for each would be a task or two apiece and, after a start, ten thousand decisions
in one moment. Here a scaler is first due at a random moment within its interval, which spreads all
of them for good, and later at the interval's steps from there. Pure: time and chance are arguments.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Schedule(Generic[Key]):
    """Who is due when. A key stands in it once, or is being worked on, or is unknown.

    `chance` answers numbers in [0, 1), such as `random.random`.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0  # keys need no order of their own, and equal moments keep theirs

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def __len__(self) -> int:
        return len(self._due)

    def spread(self, key: Key, now: float, interval: float) -> None:
        """Due at a random moment of the next `interval` seconds."""
        self.put(key, now + self._chance() * interval)

    def put(self, key: Key, due: float) -> None:
        """Due then, and no longer at any other time."""
        self._due[key] = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, key))

    def forget(self, key: Key) -> None:
        """Never due again; it may be unknown."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """When the next one is due; None where nobody is."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # it was put elsewhere, or forgotten
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[tuple[Key, float]]:
        """Everybody who is due by now, with the moment they were; they leave the schedule until
        they are put back.
        """
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key, due


def step_after(due: float, now: float, interval: float) -> float:
    """The first step of the interval, counted from `due`, that is not in the past: a decision that
    took too long leaves out steps, and never hurries through them.
    """
    missed = max(0.0, now - due) // interval
    return due + (missed + 1) * interval
