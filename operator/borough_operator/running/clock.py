"""Unix time that never goes back.

Decisions compare moments, and a clock that an administrator or a time server sets back would make
an hour happen twice. So it is read once, at the start, and from then on time is what has passed
since: on a machine that slept, that too.
"""

import time
from collections.abc import Callable


def unix_clock() -> Callable[[], float]:
    """Seconds since 1970, at each call."""
    started = time.time() - _passed()
    return lambda: started + _passed()


def _passed() -> float:
    """Seconds since the machine was started, sleep included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
