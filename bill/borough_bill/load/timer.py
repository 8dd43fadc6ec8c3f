"""A timer for the event loop with the resolution of the kernel's own timers.

The loop rounds its timers to milliseconds. That would send every request half a millisecond late,
which is more than the differences the bill measures.
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
    """The kernel's itimerspec: an interval, always zero here, and the expiry time."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("at_s", ctypes.c_long),
        ("at_ns", ctypes.c_long),
    )


class Timer:
    """Calls `callback` in the running loop at the time it was last set to. It holds one time.

    On Linux it is a timerfd, which the loop waits for as for a socket (Python has a function for it
    from 3.13 on). Elsewhere it is a timer of the loop; the slip check then shows what that costs.

    Raises OSError where the kernel grants no timer.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._spec = _Spec()
        self._handle: asyncio.TimerHandle | None = None
        self._file = -1
        if _libc is not None:
            self._file = _libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if self._file < 0:
                raise OSError(ctypes.get_errno(), "the system gives no timer")
            self._loop.add_reader(self._file, callback)

    def set(self, at: float) -> None:
        """Expire at this time of `time.monotonic()`, in seconds; at once if it has passed."""
        if self._file < 0:
            self.stop()
            self._handle = self._loop.call_later(at - time.monotonic(), self._callback)
            return
        # Setting the timer also clears an expiry that was not yet read.
        self._write(max(1, int(at * 1e9)))

    def stop(self) -> None:
        """Cancel the time that was set."""
        if self._handle is not None:
            self._handle.cancel()
        if self._file >= 0:
            self._write(0)

    def close(self) -> None:
        """Stop, and release the timer."""
        self.stop()
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _write(self, at_ns: int) -> None:
        self._spec.at_s, self._spec.at_ns = divmod(at_ns, 1_000_000_000)
        if _libc is not None:
            _libc.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(self._spec), None)
