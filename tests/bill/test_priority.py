"""Does the generator get its core as soon as it wakes, beside processes that never sleep?"""

import os
import subprocess
import sys

import pytest

from borough_bill.load import kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such priorities")
SCHEDULING = """
import os, sys
from borough_bill.load import kernel
if sys.argv[1] == "plain":
    def refused(*_): raise PermissionError("as without privileges")
    os.sched_setscheduler = refused
kernel.request_priority()
schedule = open("/proc/self/sched").read().partition("se.slice")[2].split()
print(os.sched_getscheduler(0), schedule[1] if schedule else 0)
"""


def scheduling(privileges: str) -> tuple[int, int]:
    """The policy and the time slice, in nanoseconds, of a process that asked for priority."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and arguments
        [sys.executable, "-c", SCHEDULING, privileges], capture_output=True, text=True, check=True
    )
    policy, slice_ns = done.stdout.split()
    return int(policy), int(slice_ns)


def may_have_priority() -> bool:
    """Whether this user is permitted real-time priority."""
    asked = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False)  # noqa: S603  # as above
    return done.returncode == 0


def test_real_time_priority_is_set_where_permitted() -> None:
    """Where it is not permitted, the process keeps its policy."""
    policy, _ = scheduling("privileged")

    assert policy == (os.SCHED_RR if may_have_priority() else os.SCHED_OTHER)


def test_short_slice_is_set_where_real_time_priority_is_refused() -> None:
    """On kernels from 6.12 on; the policy stays the ordinary one."""
    policy, slice_ns = scheduling("plain")

    assert policy == os.SCHED_OTHER
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release >= (6, 12) and os.uname().machine in kernel.SYSCALLS:
        assert slice_ns == kernel.SLICE_NS
