"""The deadline of the request being handled: set at the door, passed on and checked by every hop.

It is kept in a context variable as a time of the monotonic clock. Between parts a header has the
remaining milliseconds, since clocks of two machines may differ.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

from borough.errors import DeadlineExceeded

HEADER = "borough-timeout-ms"

_deadline: ContextVar[float | None] = ContextVar("borough_deadline", default=None)


def remaining() -> float | None:
    """Seconds left, negative when spent; None without a deadline."""
    moment = _deadline.get()
    return None if moment is None else moment - time.monotonic()


def moment(at_most: float) -> float:
    """The deadline as a time of `time.monotonic`; `at_most` seconds away without one."""
    found = _deadline.get()
    return time.monotonic() + at_most if found is None else found


def check(what: str) -> None:
    """Raise DeadlineExceeded when no time is left; `what` names the step that is not taken."""
    left = remaining()
    if left is not None and left <= 0:
        raise DeadlineExceeded(f"the deadline was spent before {what}")


class within:  # noqa: N801  # used as `with deadline.within(...)`
    """A deadline this many seconds away, or the current one where that is earlier; yields the
    seconds left, never negative.
    """

    __slots__ = ("_seconds", "_token")

    _token: Token[float | None]

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> float:
        now = time.monotonic()
        outer = _deadline.get()
        moment = now + self._seconds
        if outer is not None and outer < moment:
            moment = outer
        self._token = _deadline.set(moment)
        return max(moment - now, 0.0)

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """A new deadline, independent of the current one: for work that must go on after that."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)
