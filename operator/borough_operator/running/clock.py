"""Unix time that never goes back.

Decisions compare times, and a system clock that is set back would repeat an interval. So the system
clock is read once, at the start, and the elapsed time is added, time asleep included.
"""

import time
from collections.abc import Callable


def unix_clock() -> Callable[[], float]:
    """A function that returns the Unix time in seconds."""
    started = time.time() - _elapsed()
    return lambda: started + _elapsed()


def _elapsed() -> float:
    """Seconds since the machine started, time asleep included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
