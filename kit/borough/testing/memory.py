"""In-memory stores that a capability defines: each effect has a checkpoint before and after it.

A store that never yields to the event loop would hide every race that a database has. So each
method awaits its checkpoint before its effect and after it, where a test may run other tasks first,
or crash the process; the effect between is atomic, as a transaction is.
"""

import asyncio
import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

Checkpoint = Callable[[str], Awaitable[None]]
"""Awaited with the name of the step: `before MemoryLoans.begin`, `after ...`."""

Store = TypeVar("Store", bound="Rows")
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


async def turn(_where: str) -> None:
    """The default checkpoint: every other task runs once."""
    await asyncio.sleep(0)


class Rows:
    """Rows in memory. Subclasses keep them in containers made once, in `__init__`."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint = turn

    def through(self, checkpoint: Checkpoint) -> Self:
        """The same rows with another checkpoint: as another process sees them."""
        view = copy.copy(self)
        view.checkpoint = checkpoint
        return view


def atomic(
    effect: Callable[Concatenate[Store, Given], Answer],
) -> Callable[Concatenate[Store, Given], Coroutine[Any, Any, Answer]]:
    """Decorate the effect of a store's method with its checkpoints."""

    @functools.wraps(effect)
    async def method(store: Store, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        await store.checkpoint(f"before {effect.__qualname__}")
        answer = effect(store, *args, **kwargs)
        await store.checkpoint(f"after {effect.__qualname__}")
        return answer

    return method
