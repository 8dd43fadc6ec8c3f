"""Stores in memory of a capability's own: one effect at a time, and a checkpoint on either side.

A store that never lets go of the event loop would hide every race that a database shows. So each
method stops at its checkpoint before its effect and after it, where a test may let others go first,
or end the process; the effect between is one piece, as a transaction is.
"""

import asyncio
import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

Checkpoint = Callable[[str], Awaitable[None]]
"""Awaited with what comes next or just was: `before MemoryLoans.begin`, `after ...`."""

Store = TypeVar("Store", bound="Rows")
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


async def turn(_where: str) -> None:
    """The plain checkpoint: every other task has a turn."""
    await asyncio.sleep(0)


class Rows:
    """Rows in memory. Subclasses keep them in containers made once, in `__init__`."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint = turn

    def through(self, checkpoint: Checkpoint) -> Self:
        """The same rows by way of another checkpoint: as another process sees them."""
        view = copy.copy(self)
        view.checkpoint = checkpoint
        return view


def atomic(
    effect: Callable[Concatenate[Store, Given], Answer],
) -> Callable[Concatenate[Store, Given], Coroutine[Any, Any, Answer]]:
    """Make a method of a store from its effect."""

    @functools.wraps(effect)
    async def method(store: Store, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        await store.checkpoint(f"before {effect.__qualname__}")
        answer = effect(store, *args, **kwargs)
        await store.checkpoint(f"after {effect.__qualname__}")
        return answer

    return method
