"""The recording of an attack: one binary record a request, and a header.

Raw records are kept instead of summaries, because quantiles of windows cannot be averaged, and
because a number can then be checked against the requests it came from. A file is a NumPy archive;
its checksums and this module reject a file that is not whole.
"""

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from borough_bill.load import Data

Requests = NDArray[np.void]
Seconds = NDArray[np.float64]

VERSION = 1
REQUEST = np.dtype(
    [
        ("intended", "f8"),
        ("sent", "f8"),
        ("first_byte", "f8"),
        ("done", "f8"),
        ("status", "u2"),
        ("klass", "u1"),
        ("warm", "?"),
        ("ok", "?"),
    ]
)
"""Times are seconds from the start of the attack, or NaN. `intended` is the time in the schedule,
`sent` the time at which the generator took up the request: a wait for a connection after that is
latency, not slip. `status` is 0 without a whole answer. `klass` is an index into the header's
classes. `warm` marks the warm-up. `ok` says that status and body are those the workload expects."""

SLIP_LIMIT_S = 0.005
"""Above this 99th percentile of slip the generator was late, and the latencies are void."""


class BrokenRecording(Exception):
    """A file is no whole recording; the message names it."""


class Failure(Data):
    """A request that was not served, and its intended time, in seconds from the start."""

    at_s: float
    request_class: str
    status: int
    reason: str


class Header(Data):
    """The start is at `start_s` of this machine's monotonic clock. The window begins
    `window_begin_s` seconds later, when the last answer to the warm-up has arrived, and ends
    `window_s` seconds after that, when the last answer has. `cpu`, by the names in the job's
    `pids`, `generator_cpu_s` and `core_busy_s`, of the job's core, are CPU seconds between these
    edges.

    `reasons` counts failures by reason, and `first_failures` are the first few. `connections` were
    opened; `held_back` counts the requests that had to wait for one.
    """

    version: int = VERSION
    job: dict[str, Any]
    run: str
    classes: tuple[str, ...]
    start_s: float = 0.0
    window_begin_s: float
    window_s: float
    cpu: dict[str, float]
    core_busy_s: float | None = None
    generator_cpu_s: float
    connections: int
    held_back: int
    reasons: dict[str, int]
    first_failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The requests of an attack: an array of REQUEST, in the order of their intended times."""

    path: Path
    header: Header
    requests: Requests

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recording. Raises BrokenRecording."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                header = Header.model_validate_json(archive["header"].tobytes())
                requests = archive["requests"]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            what = "it has no such header" if isinstance(error, ValidationError) else str(error)
            raise BrokenRecording(f"{path} is no whole recording: {what}") from error
        if header.version != VERSION or requests.dtype != REQUEST:
            raise BrokenRecording(
                f"{path} is a recording of version {header.version}; this is version {VERSION}"
            )
        return cls(path, header, requests)

    def write(self) -> None:
        """Write it to its path, atomically. Raises OSError."""
        part = self.path.with_name(f"{self.path.name}.part")
        header = np.frombuffer(self.header.model_dump_json().encode(), dtype=np.uint8)
        with part.open("wb") as file:
            np.savez(file, header=header, requests=self.requests)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    @property
    def measured(self) -> Requests:
        """The requests of the window: all but the warm-up."""
        measured: Requests = self.requests[~self.requests["warm"]]
        return measured

    @property
    def served(self) -> int:
        """The number of requests of the window that were answered as expected."""
        return int(np.count_nonzero(self.measured["ok"]))

    @property
    def answered(self) -> dict[str, int]:
        """The number of expected answers by class, including those of the warm-up."""
        classes = self.header.classes
        numbers = np.bincount(self.requests["klass"][self.requests["ok"]], minlength=len(classes))
        return dict(zip(classes, numbers.tolist(), strict=True))

    @property
    def failed(self) -> int:
        """The number of requests of the window with a wrong answer or none."""
        return len(self.measured) - self.served

    def latencies(self, name: str | None = None) -> Seconds:
        """Seconds from the intended time to the whole answer, of served requests of the window:
        what a customer waits, whatever delayed the request. `name` selects a class.
        """
        return self._span("intended", "done", self._served(name))

    def from_sent(self, name: str | None = None) -> Seconds:
        """As `latencies`, but from the actual send time, so without the generator's lateness."""
        return self._span("sent", "done", self._served(name))

    def slips(self) -> Seconds:
        """Seconds from intended to actual send time, of each request of the window."""
        return self._span("intended", "sent", self.measured)

    def _served(self, name: str | None) -> Requests:
        measured = self.measured
        chosen = measured["ok"]
        if name is not None:
            chosen = chosen & (measured["klass"] == self.header.classes.index(name))
        served: Requests = measured[chosen]
        return served

    @staticmethod
    def _span(begin: str, end: str, requests: Requests) -> Seconds:
        span: Seconds = requests[end] - requests[begin]
        return span


@dataclass(frozen=True, slots=True)
class Slip:
    """How late the generator was over some recordings, in seconds."""

    mean_s: float
    p99_s: float

    @property
    def void(self) -> bool:
        """Whether the generator was too late for the latencies to be those of the server."""
        return not self.p99_s <= SLIP_LIMIT_S


def slip_check(recordings: Iterable[Recording]) -> Slip:
    """The slip of all requests of these recordings. Raises ValueError where there are none."""
    slips = np.concatenate([recording.slips() for recording in recordings])
    return Slip(float(np.mean(slips)), float(np.quantile(slips, 0.99)))
