"""Waiting for a condition, bounded by how often it is looked for and not by seconds.

That is because on a busy machine seconds pass while neither this process nor the one that is waited
for gets a core. A bound in looks grows with that: a process that is kept from looking has not
waited.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

LOOK_S = 0.05
LOOKS = 600
"""Half a minute of looking where nothing else runs; what is waited for takes a second or two."""

Found = TypeVar("Found")


def until(look: Callable[[], Found], looks: int = LOOKS) -> Found:
    """What it answers once that is something. Raises AssertionError after the last look."""
    for _ in range(looks):
        if found := look():
            return found
        time.sleep(LOOK_S)
    raise AssertionError(f"{look()!r} after {looks} looks")


async def becomes(look: Callable[[], Awaitable[Found]], looks: int = LOOKS) -> Found:
    """The same for a look that is awaited."""
    for _ in range(looks):
        if found := await look():
            return found
        await asyncio.sleep(LOOK_S)
    raise AssertionError(f"{await look()!r} after {looks} looks")
