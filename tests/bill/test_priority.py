"""Does a generator that shares its core with others that never rest get it when it wakes?"""

import os
import subprocess
import sys

import pytest

from borough_bill.load import priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such priorities")
SCHEDULING = """
import os, sys
from borough_bill.load import priority
if sys.argv[1] == "plain":
    def refused(*_): raise PermissionError("as for anybody but root")
    os.sched_setscheduler = refused
priority.be_prompt()
said = open("/proc/self/sched").read().partition("se.slice")[2].split()
print(os.sched_getscheduler(0), said[1] if said else 0)
"""


def scheduling(who: str) -> tuple[int, int]:
    """The policy and the slice, in nanoseconds, of a process that asked to be prompt."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-c", SCHEDULING, who], capture_output=True, text=True, check=True
    )
    policy, slice_ns = done.stdout.split()
    return int(policy), int(slice_ns)


def may_have_priority() -> bool:
    """Whether this user may ask for real-time priority."""
    asked = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False)  # noqa: S603  # our own words
    return done.returncode == 0


def test_whoever_may_have_real_time_priority_gets_it() -> None:
    """Others stay as they are, and are not worse off than before."""
    policy, _ = scheduling("privileged")

    assert policy == (os.SCHED_RR if may_have_priority() else os.SCHED_OTHER)


def test_whoever_may_not_gets_a_short_slice_where_the_kernel_has_it() -> None:
    """As an ordinary process among others."""
    policy, slice_ns = scheduling("plain")

    assert policy == os.SCHED_OTHER
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release >= (6, 12) and os.uname().machine in priority.SYSCALLS:
        assert slice_ns == priority.SLICE_NS
