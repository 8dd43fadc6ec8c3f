"""How the generator asks the kernel to run it as soon as it wakes, beside busy processes.

A process that wakes on a busy core otherwise waits until the running one has used its time slice,
which takes milliseconds. The generator runs for a few per cent of the time, so running it first
slows the others by no more than that.
"""

import contextlib
import ctypes
import os
import platform
import sys

SLICE_NS = 100_000
"""The shortest time slice that Linux grants, from 6.12 on and without privileges. A shorter slice
means an earlier deadline, and the earliest deadline runs first; the share of the core is the same.
"""
SYSCALLS = {"x86_64": 314, "aarch64": 274}
"""The number of sched_setattr by architecture, since the C library has no function for it."""


class _Attributes(ctypes.Structure):
    """The kernel's sched_attr, version 0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def request_priority() -> None:
    """Ask for real-time priority; where that is not permitted, for a short time slice; and where
    the kernel has none, change nothing.

    Only for a process that shares no core with what it measures, since it runs before all others.
    """
    if sys.platform != "linux":
        return
    try:
        os.sched_setscheduler(
            0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        )
    except OSError:
        with contextlib.suppress(OSError):
            _short_slice()


def _short_slice() -> None:
    """Ask for a time slice of SLICE_NS. Raises OSError where the kernel refuses."""
    number = SYSCALLS.get(platform.machine())
    if number is None:
        return
    asked = _Attributes(
        size=ctypes.sizeof(_Attributes),
        policy=os.SCHED_OTHER,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        runtime=SLICE_NS,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, ctypes.byref(asked), 0):
        raise OSError(ctypes.get_errno(), "sched_setattr")
