"""How a process asks the kernel to let it run as soon as it wakes, beside others that never rest.

A generator that wakes on a core that is taken waits until the other's time slice is over, some
milliseconds. It works for a few per cent of the time only, so being let in at once takes nothing
from others that they would notice.
"""

import contextlib
import ctypes
import os
import platform
import sys

SLICE_NS = 100_000
"""The shortest that Linux grants. A shorter slice means an earlier deadline, and the earliest
deadline runs first; no more of the core is given for it. From Linux 6.12 on; anybody may ask.
"""
SYSCALLS = {"x86_64": 314, "aarch64": 274}
"""sched_setattr, for which there is no function in the C library."""


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


def be_prompt() -> None:
    """Ask for real-time priority, where this process may have it; else for a short slice, where the
    kernel has that; else leave everything as it is.

    Only for a process that has a core beside that of what it measures: it goes before all others.
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
    """Raises OSError where the kernel refuses."""
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
