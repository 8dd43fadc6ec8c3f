"""The CPU, memory and counters of a process, read from outside.

CPU is the process's own clock, which includes threads that have ended, as a sum over threads would
not. Counters are read at the edges of a window: a scrape within it would cost the part CPU.
"""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from borough_bill.results import Hop

CPUCLOCK_SCHED = 2
"""The bits of a clock id for the CPU clock of a whole process; linux/posix-timers.h."""
KIB_PER_MIB = 1024
TICK_S = 0.01
"""The steps in which Linux reports used CPU time: USER_HZ is 100."""
STAT = Path("/proc/stat")

CALLS = "http_client_request_duration_seconds_count"
TOTAL = "http_client_request_duration_seconds_sum"
SERVER = "borough_hop_server_seconds_total"
HANDLER = "borough_hop_handler_seconds_total"
TRANSACTIONS = "borough_store_transactions_total"
COUNTED = (CALLS, TOTAL, SERVER, HANDLER, TRANSACTIONS)
CPU = "process_cpu_seconds_total"
RESIDENT = "process_resident_memory_bytes"
STARTED = "process_start_time_seconds"

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*?)\})? ([0-9.eE+-]+)(?: |$)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class ProcessGone(Exception):
    """A process to be measured does not exist; the message names it."""


class NotExposed(Exception):
    """Parts do not expose a counter that the bill needs; the message names it."""


def cpu_seconds(pid: int) -> float:
    """The CPU that a process has used, over all its threads. Raises ProcessGone."""
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError as error:
        raise ProcessGone(f"process {pid} has no CPU clock: {error.strerror}") from None


def cpu_seconds_of(pids: Mapping[str, int]) -> dict[str, float]:
    """The CPU of processes by their names. Raises ProcessGone."""
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def busy_seconds(core: int | None) -> float | None:
    """Seconds that a core was busy, or was stolen by the machine's host, in steps of TICK_S; None
    for no core, and where that cannot be read, as on any system but Linux.
    """
    try:
        with STAT.open(encoding="ascii") as lines:
            found = next((line for line in lines if line.startswith(f"cpu{core} ")), None)
    except OSError:
        return None
    if found is None:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, found.split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_S


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process in MiB: resident (RSS), and proportional (PSS), which divides shared
    pages among their processes, where that is known.
    """

    rss_mib: float
    pss_mib: float | None = None


def memory(pid: int) -> Memory:
    """The memory of a process. Raises ProcessGone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError as error:
        raise ProcessGone(f"process {pid} has no memory map: {error.strerror}") from None
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.MULTILINE))
    return Memory(int(found["Rss"]) / KIB_PER_MIB, int(found["Pss"]) / KIB_PER_MIB)


def memory_of(pids: Mapping[str, int]) -> dict[str, Memory]:
    """The memory of processes by their names. Raises ProcessGone."""
    return {name: memory(pid) for name, pid in pids.items()}


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """What a process exposes of itself; it `started` so many seconds after 1970."""

    cpu_s: float
    rss_mib: float
    started: float

    @classmethod
    def read(cls, exposition: str) -> Self:
        """From its /metrics. Raises NotExposed, naming what is missing."""
        wanted = (CPU, RESIDENT, STARTED)
        found = {name: value for name, _, value in samples(exposition, wanted)}
        if missing := [name for name in wanted if name not in found]:
            raise NotExposed(f"a part exposes no {missing[0]}")
        mib = found[RESIDENT] / KIB_PER_MIB / KIB_PER_MIB
        return cls(found[CPU], mib, found[STARTED])


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of all parts of a shape at one time: sums by (metric, used labels)."""

    sums: Mapping[tuple[str, str], float]

    @classmethod
    def read(cls, expositions: Iterable[str]) -> Self:
        """From the /metrics of the parts, in either Prometheus text format."""
        sums = defaultdict[tuple[str, str], float](float)
        for text in expositions:
            for name, labels, value in samples(text, COUNTED):
                if name == TRANSACTIONS:
                    if labels.get("kind") == "write":
                        sums[name, labels["capability"]] += value
                else:
                    sums[name, f"{labels['peer']}.{labels['method']}"] += value
        return cls(sums)

    def since(self, before: "Counters") -> "Counters":
        """The increase since an earlier time."""
        return Counters({key: value - before.sums.get(key, 0) for key, value in self.sums.items()})

    def hops(self, share: float = 1) -> dict[str, Hop]:
        """Calls between parts by `peer.method`: `share` of them, at the mean times of all.

        Raises NotExposed if parts call each other without the times that the callee reports.
        """
        calls = self._of(CALLS)
        total, server, handler = self._of(TOTAL), self._of(SERVER), self._of(HANDLER)
        if any(calls.values()) and not (any(server.values()) and any(handler.values())):
            raise NotExposed(f"parts call each other, but none exposes {SERVER} and {HANDLER}")
        hops = {}
        for edge, number in calls.items():
            if counted := round(number * share):
                part = counted / number
                hops[edge] = Hop(
                    calls=counted,
                    total_s=total[edge] * part,
                    server_s=server.get(edge, 0.0) * part,
                    handler_s=handler.get(edge, 0.0) * part,
                )
        return hops

    def transactions(self, share: float = 1) -> dict[str, float]:
        """Writing transactions by capability, times `share`."""
        return {name: count * share for name, count in self._of(TRANSACTIONS).items() if count}

    def _of(self, metric: str) -> dict[str, float]:
        return {label: value for (name, label), value in self.sums.items() if name == metric}


def total(expositions: Iterable[str], metric: str, **labels: str) -> float:
    """The sum of a counter over all parts, of the samples with these labels."""
    return sum(
        value
        for text in expositions
        for _, found, value in samples(text, (metric,))
        if labels.items() <= found.items()
    )


def samples(text: str, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples of these metrics. A full parser would take a hundred times as long."""
    for line in text.splitlines():
        if line.startswith(wanted) and (sample := _SAMPLE.match(line)):
            name, labels, value = sample.groups()
            if name in wanted:
                yield name, dict(_LABEL.findall(labels or "")), float(value)
