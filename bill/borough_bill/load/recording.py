"""What a run of the generator left: one binary record a request, and the facts of the run.

Raw records are kept, not summaries: quantiles of windows cannot be averaged later, and a doubt
about a number can only be settled by the requests it came from. A file is a NumPy archive; its
checksums and this module refuse what is not whole.
"""

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

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
"""Times are seconds from the start of the run; NaN where that never came. `sent` is when the
generator turned to the request: waiting for a connection after that is latency, not slip. `status`
is 0 where no whole answer came; `klass` counts into the header's classes; `ok` is a status and a
body as the workload expects them."""

SLIP_LIMIT_S = 0.005
"""A run whose 99th percentile of slip is above this measured its generator: it is void."""


class BrokenRecording(Exception):
    """A file that is no whole recording; the message names it."""


class Failure(BaseModel):
    """A request that was not served: when it was meant to be sent, in seconds from the start, and
    what came instead. The status is 0 where no whole answer came.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: float
    request_class: str
    status: int
    reason: str


class Header(BaseModel):
    """The facts of a run. `cpu` and `generator_cpu_s` are CPU seconds between the window's edges;
    `core_busy_s` are those of all processes on the job's core.

    The window begins `window_begin_s` after the start, when the last answer to the warm-up is in,
    and ends `window_s` later, when the last answer of all is in. The start is `start_s` of this
    machine's monotonic clock. `reasons` counts what was wrong
    with answers, `first_failures` are the first few of them, and `held_back` counts the requests
    that found every permitted connection busy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    """The requests of a run, as a structured array of REQUEST, in the order they were meant."""

    path: Path
    header: Header
    requests: Requests

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises BrokenRecording."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                header = Header.model_validate_json(archive["header"].tobytes())
                requests = archive["requests"]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            what = "no header of ours" if isinstance(error, ValidationError) else str(error)
            raise BrokenRecording(f"{path} is no whole recording: {what}") from error
        if header.version != VERSION or requests.dtype != REQUEST:
            raise BrokenRecording(
                f"{path} is a recording of version {header.version}; this is version {VERSION}"
            )
        return cls(path, header, requests)

    def write(self) -> None:
        """Write it to its path, whole or not at all."""
        part = self.path.with_name(f"{self.path.name}.part")
        header = np.frombuffer(self.header.model_dump_json().encode(), dtype=np.uint8)
        with part.open("wb") as file:
            np.savez(file, header=header, requests=self.requests)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    @property
    def measured(self) -> Requests:
        """Every request of the window: all but the warm-up."""
        measured: Requests = self.requests[~self.requests["warm"]]
        return measured

    @property
    def served(self) -> int:
        """Requests of the window that were answered as expected."""
        return int(np.count_nonzero(self.measured["ok"]))

    @property
    def answered(self) -> dict[str, int]:
        """Requests that were answered as expected, by class; those of the warm-up too."""
        classes = self.header.classes
        numbers = np.bincount(self.requests["klass"][self.requests["ok"]], minlength=len(classes))
        return dict(zip(classes, numbers.tolist(), strict=True))

    @property
    def failed(self) -> int:
        """Requests of the window with a wrong answer, or none."""
        return len(self.measured) - self.served

    def latencies(self, name: str | None = None) -> Seconds:
        """Seconds from the intended time to the whole answer, of the served; of a class if named.

        This is what a customer waits: a request that the generator or a connection delayed was
        waited for all the same (no coordinated omission).
        """
        return self._span("intended", "done", self._served(name))

    def from_sent(self, name: str | None = None) -> Seconds:
        """Seconds from the actual sending to the whole answer, of the served; of a class if named.

        The difference to `latencies` is the generator's own lateness, and nobody else's.
        """
        return self._span("sent", "done", self._served(name))

    def slips(self) -> Seconds:
        """Seconds the generator was late with each request of the window, served or not."""
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
    """How late the generator was over some runs, in seconds."""

    mean_s: float
    p99_s: float

    @property
    def void(self) -> bool:
        """Whether the generator was so late that the runs say more of it than of the server."""
        return not self.p99_s <= SLIP_LIMIT_S


def slip_check(recordings: Iterable[Recording]) -> Slip:
    """The slip of all requests of these runs together. Raises ValueError where there are none."""
    slips = np.concatenate([recording.slips() for recording in recordings])
    return Slip(float(np.mean(slips)), float(np.quantile(slips, 0.99)))
