"""The deadline of the request being handled: set at the door, carried by every hop, kept by all.

It lives in a context variable as a moment of the monotonic clock. Between parts the remaining
milliseconds travel in a header, since clocks of two machines need not agree.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from borough.contracts.errors import DeadlineExceeded

HEADER = "borough-timeout-ms"

_deadline: ContextVar[float | None] = ContextVar("borough_deadline", default=None)


def remaining() -> float | None:
    """Seconds left, negative when spent; None where nobody set a deadline."""
    moment = _deadline.get()
    return None if moment is None else moment - time.monotonic()


def check(what: str) -> None:
    """Raise DeadlineExceeded when nothing is left; `what` names the step that is not taken."""
    left = remaining()
    if left is not None and left <= 0:
        raise DeadlineExceeded(f"the deadline was spent before {what}")


@contextmanager
def within(seconds: float) -> Iterator[float]:
    """A deadline this far away, or the one in force where that is nearer; yields what is left."""
    now = time.monotonic()
    outer = _deadline.get()
    moment = now + seconds if outer is None else min(now + seconds, outer)
    token = _deadline.set(moment)
    try:
        yield max(moment - now, 0.0)
    finally:
        _deadline.reset(token)


@contextmanager
def default(seconds: float) -> Iterator[None]:
    """A deadline this far away where nobody set one."""
    if _deadline.get() is not None:
        yield
        return
    with within(seconds):
        yield


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """A deadline of its own, whatever the one in force: for work that must go on after it."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)
