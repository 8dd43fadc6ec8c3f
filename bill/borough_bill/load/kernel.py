"""What the generator asks of the kernel: to wake it on time, and to run it as soon as it wakes.

The event loop rounds its timers to milliseconds: requests would be late by half of one, which is
more than the differences the bill measures. And a process that wakes on a busy core waits for
milliseconds until the running one has used its time slice. The generator runs for a few per cent of
the time, so running it first slows the others by no more.
"""

import asyncio
import contextlib
import ctypes
import os
import platform
import struct
import sys
import time
from collections.abc import Callable

SLICE_NS = 100_000
"""The shortest time slice that Linux grants, from 6.12 on and without privileges. A shorter slice
means an earlier deadline, and the earliest deadline runs first; the share of the core is the same.
"""
SYSCALLS = {"x86_64": 314, "aarch64": 274}
"""The number of sched_setattr by architecture, since the C library has no function for it."""

_MONOTONIC = 1
_ABSOLUTE = 1
_SCHEDULING = struct.Struct("=IIQiIQQQ")
"""The kernel's sched_attr, version 0: size, policy, flags, nice, priority, runtime, deadline,
period."""
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Spec(ctypes.Structure):
    """The kernel's itimerspec: an interval, always zero here, and the expiry time."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns"))


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


def request_priority() -> None:
    """Ask for real-time priority; where that is not permitted, for a short time slice; and where
    the kernel has none, change nothing.

    Only for a process that shares no core with what it measures, since it runs before all others.
    """
    if _libc is None:
        return
    try:
        os.sched_setscheduler(
            0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        )
    except OSError:
        with contextlib.suppress(KeyError):  # a kernel that refuses a short slice changes nothing
            nice = os.getpriority(os.PRIO_PROCESS, 0)
            asked = (_SCHEDULING.size, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
            _libc.syscall(SYSCALLS[platform.machine()], 0, _SCHEDULING.pack(*asked), 0)
