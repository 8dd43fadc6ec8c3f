"""An alarm clock for the event loop, as fine as the kernel's own timers.

The loop's timers are rounded to milliseconds, which would make every request half a millisecond
late: more than the differences we look for.
"""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable

_MONOTONIC = 1
_ABSOLUTE = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Spec(ctypes.Structure):
    """The kernel's itimerspec: an interval we leave at zero, and when to ring."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("at_s", ctypes.c_long),
        ("at_ns", ctypes.c_long),
    )


class Alarm:
    """Calls `ring` at the time it was last set to; in the running loop. One time at once.

    Only Linux has a timer one can wait for like a socket (Python offers it from 3.13 on); elsewhere
    the loop's timers must do, and the slip report says what that cost.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._spec = _Spec()
        self._handle: asyncio.TimerHandle | None = None
        self._file = -1
        if _libc is not None:
            self._file = _libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if self._file < 0:
                raise OSError(ctypes.get_errno(), "the system gives no timer")
            self._loop.add_reader(self._file, ring)

    def set(self, at: float) -> None:
        """Ring at this time of `time.monotonic()`; soon, if it is over."""
        if self._file < 0:
            self.stop()
            self._handle = self._loop.call_later(at - time.monotonic(), self._ring)
            return
        # Setting it anew also takes back a ring that was not yet heard.
        self._write(max(1, int(at * 1e9)))

    def stop(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
        if self._file >= 0:
            self._write(0)

    def close(self) -> None:
        """Never ring again."""
        self.stop()
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _write(self, at_ns: int) -> None:
        self._spec.at_s, self._spec.at_ns = divmod(at_ns, 1_000_000_000)
        if _libc is not None:
            _libc.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(self._spec), None)
