"""What a process is asked for by every monitoring: its CPU time and its memory."""

import os
import time
from pathlib import Path

from borough.kit import signals
from borough.kit.telemetry.metrics import Metrics

_STATM = Path("/proc/self/statm")


def watch_process(metrics: Metrics) -> None:
    """Tell of this process, as it is when it is asked. Its memory is told on Linux only: elsewhere
    the system knows no more than its highest.
    """
    metrics.watch(signals.PROCESS_CPU, time.process_time)
    if _STATM.exists():
        metrics.watch(signals.PROCESS_MEMORY, _resident_bytes)


def _resident_bytes() -> float:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
