"""The result of a measurement: one JSON file from which the bill is computed.

The bill is a pure function of this file, so that it can be computed again, and that numbers in a
document can be generated from a committed result. A broken, foreign or newer file is refused.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

VERSION: Literal[2] = 2
"""Version 1, which has fewer fields, can be read too."""
Rung = Literal["T0", "T1", "T3", "T5", "T6", "T7a", "T7b"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
"""The ladder, from a method call to a traced call. T2 and T4 do not exist on one machine."""
RUNG_TITLES: Mapping[str, str] = {
    "T0": "a direct call",
    "T1": "encode and decode",
    "T3": "process and TCP",
    "T5": "deadline, retry, breaker, balancing",
    "T6": "metrics",
    "T7a": "traces, 1 %",
    "T7b": "traces, 100 %, exported",
}
"""What each rung adds to the one below."""
SKETCH = 200
"""Quantiles in a sketch: those of (i + 1/2) / 200."""

Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class BrokenResult(Exception):
    """A file is no valid result; the message has the file and the reason."""


class Frozen(BaseModel):
    """A model whose objects do not change, and that has no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Model(Frozen):
    model_config = ConfigDict(allow_inf_nan=False)


class Machine(_Model):
    """The machine that measured. `packages` are versions by name."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    packages: Mapping[str, str] = {}

    @property
    def reads_processes(self) -> bool:
        """Whether a process can read the CPU clock and the memory of others."""
        return self.kernel.startswith("Linux")


class Summary(_Model):
    """A distribution of times in milliseconds. `sketch` has SKETCH quantiles, or is empty."""

    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    sketch: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _sketch_is_whole(self) -> Self:
        if len(self.sketch) not in (0, SKETCH):
            raise ValueError(f"a sketch has {SKETCH} quantiles, this one {len(self.sketch)}")
        return self

    @classmethod
    def of(cls, seconds: npt.NDArray[np.float64], *, sketch: bool = False) -> Self:
        """Summarise times given in seconds. Raises ValueError where there are none."""
        if seconds.size == 0:
            raise ValueError("no times, no summary")
        ms = np.sort(seconds) * 1000
        quantiles = np.quantile(ms, (0.5, 0.9, 0.99, 0.999)).round(5).tolist()
        points = np.quantile(ms, (np.arange(SKETCH) + 0.5) / SKETCH) if sketch else ms[:0]
        return cls(
            mean=round(float(ms.mean()), 5),
            **dict(zip(("p50", "p90", "p99", "p999"), quantiles, strict=True)),
            max=round(float(ms[-1]), 5),
            sketch=tuple(points.round(4).tolist()),
        )


class Hop(_Model):
    """Calls of one edge in a window, and sums of seconds: whole, in the callee's stack, handler."""

    calls: Count
    total_s: Amount
    server_s: Amount
    handler_s: Amount


class Class(_Model):
    """The requests of one class within a window."""

    offered: Count
    served: Count
    latency: Summary | None = None


class Objective(_Model):
    """The share of all requests that the doors are to answer within `threshold_ms`."""

    ratio: Annotated[float, Field(gt=0, lt=1)]
    threshold_ms: Annotated[float, Field(gt=0)]


class Window(_Model):
    """One subject under load, or idle, for `seconds`: the unit of measurement.

    Of the `offered` requests some were `served`, some `failed`, and some had a `wrong` answer;
    `in_time` were served within the objective of the plan, None where it has none.
    `latency` counts from the intended send time, `from_sent` from the actual one, both of served
    requests only and None where there are none. `slip` is the difference of the two times, of all
    requests. CPU seconds and memory (MiB) are by process, `hops` by "peer.method", `transactions`
    are write transactions by capability. `others_s` are the CPU seconds of other processes on the
    subject's core; None where it has no core of its own. `recording` is the file of the requests.
    """

    block: Count
    experiment: Literal["shapes", "ladder", "idle"]
    subject: str
    rung: Rung | None = None
    seconds: Annotated[float, Field(gt=0)]
    offered: Count = 0
    served: Count = 0
    failed: Count = 0
    wrong: Count = 0
    in_time: Count | None = None
    latency: Summary | None = None
    from_sent: Summary | None = None
    slip: Summary | None = None
    classes: Mapping[str, Class] = {}
    cpu_s: Mapping[str, Amount] = {}
    rss_mib: Mapping[str, Amount] = {}
    pss_mib: Mapping[str, Amount] = {}
    generator_cpu_s: Amount = 0
    others_s: Amount | None = None
    hops: Mapping[str, Hop] = {}
    transactions: Mapping[str, Amount] = {}
    recording: str = ""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.offered != self.served + self.failed + self.wrong:
            raise ValueError(f"{self.name}: served, failed and wrong do not add up to offered")
        if (self.experiment == "ladder") != (self.rung is not None):
            raise ValueError(f"{self.name}: a window of the ladder has a rung, and no other has")
        if self.served and None in (self.latency, self.from_sent, self.slip):
            raise ValueError(f"{self.name}: requests were served, but it has no times")
        return self

    @property
    def name(self) -> str:
        """The name in messages."""
        return f"block {self.block}, {self.experiment}, {titled(self.rung or self.subject)}"


class HopRung(_Model):
    """One hop alone at one rung, with so many calls in flight and a pause after each: its times and
    CPU, in microseconds.
    """

    block: Count
    rung: Rung
    in_flight: int
    pause_ms: float = 0.0
    calls: Annotated[int, Field(gt=0)]
    mean_us: Amount
    p50_us: Amount
    p99_us: Amount
    cpu_caller_us: Amount
    cpu_callee_us: Amount


class Freeze(_Model):
    """Percentiles that the generator measured of a frozen server (`load.frozen`), in seconds, and
    those by the server's own clock: on a busy machine it wakes late and answers the waiting
    requests more slowly than P(latency > x) = (1 s - x) / 10 s says.
    """

    p95_s: float
    p99_s: float
    given_p95_s: float = 0.5
    given_p99_s: float = 0.9


class CriticalPath(_Model):
    """Means over traces, in ms: the critical path of a request, and the hops on it, by edge.

    `work` is the rest, by capability. `left_out` counts the incomplete traces.
    """

    traces: Annotated[int, Field(gt=0)]
    path_ms: float
    hop_ms: float
    hops: float
    edges: Mapping[str, float] = {}
    work: Mapping[str, float] = {}
    left_out: Count = 0


class Plan(_Model):
    """What is to be measured, fixed before the run.

    At least `blocks` are measured. More are added, up to `most` and for `measuring_s` seconds,
    while the interval of a headline line is too wide: see `borough_bill.experiments.stopping`.
    `ladder` says whether the rungs are in the blocks. `seconds` is the length of a window, after a
    warm-up of `warm_up_s`; `rate` is requests a second.

    The `shapes` are compared with the `reference`. `again` is its second instance (A/A), `baseline`
    the order as one transaction, `top` the shape of the highest rungs. Each tuple of `together`
    holds subjects and rungs that are measured next to each other in every block, in windows that
    are `longer` times as long. `noun` is what a request is called. `labels` describe subjects.
    `sources` say where "CPU" and "memory" were read, if not on this machine. `objective` is
    that of the application's doors, if it has one.
    """

    blocks: Annotated[int, Field(ge=1)]
    most: Annotated[int, Field(ge=1)] | None = None
    measuring_s: Annotated[float, Field(gt=0)] | None = None
    ladder: bool = True
    seconds: Annotated[float, Field(gt=0)]
    warm_up_s: Amount
    rate: Annotated[float, Field(gt=0)]
    arrivals: str = "poisson"
    workload: str
    noun: str = "request"
    reference: str
    again: str
    shapes: Annotated[tuple[str, ...], Field(min_length=1)]
    baseline: str | None = None
    top: str | None = None
    settings: Mapping[str, str] = {}
    placement: str = ""
    labels: Mapping[str, str] = {}
    sources: Mapping[str, str] = {}
    together: tuple[tuple[str, ...], ...] = ()
    longer: Annotated[float, Field(ge=1)] = 1
    objective: Objective | None = None

    def seconds_of(self, label: str) -> float:
        """The length of a window of this subject or rung, in seconds."""
        precise = any(label in group for group in self.together)
        return self.seconds * self.longer if precise else self.seconds

    @property
    def open_ended(self) -> bool:
        """Whether the number of blocks depends on the data."""
        return (self.most or self.blocks) > self.blocks

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects of a block, without the rungs; the reference first."""
        others = () if self.baseline is None else (self.baseline,)
        return (self.reference, self.again, *self.shapes, *others)


class Result(_Model):
    """The result of one run.

    `audits` are the auditor's violations by shape, () where there is none. `took_s` are the seconds
    of the run's stages, `stopped` is the reason why no further block was measured.
    """

    version: Literal[1, 2] = VERSION
    kind: Literal["preliminary", "full", "compare"]
    created: datetime
    seed: int
    commit: str
    machine: Machine
    plan: Plan
    windows: tuple[Window, ...]
    hop_ladder: tuple[HopRung, ...] = ()
    freeze: Freeze | None = None
    critical_path: CriticalPath | None = None
    audits: Mapping[str, tuple[str, ...]] = {}
    took_s: Mapping[str, Amount] = {}
    stopped: str = ""
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _windows_are_of_the_plan(self) -> Self:
        counted = Counter(window.name for window in self.windows)
        if twice := [name for name, times in counted.items() if times > 1]:
            raise ValueError(f"there are two windows of {twice[0]}")
        known = self.plan.subjects
        for window in self.windows:
            if window.rung is None and window.subject not in known:
                raise ValueError(f"{window.name}: the plan has no such subject")
        return self


def titled(label: str) -> str:
    """A rung with its title, `T3 (process and TCP)`; the name of a subject as it is."""
    return f"{label} ({RUNG_TITLES[label]})" if label in RUNG_TITLES else label


def read(path: Path) -> Result:
    """Read a result. Raises BrokenResult."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as failure:
        raise BrokenResult(f"{path}: cannot be read as JSON: {failure}") from failure
    if not isinstance(found, dict) or not {"version", "kind", "windows"} <= found.keys():
        raise BrokenResult(f"{path}: is not a result of borough-bill")
    if isinstance(found["version"], int) and found["version"] > VERSION:
        raise BrokenResult(
            f"{path}: has version {found['version']}, and this borough-bill reads {VERSION}"
        )
    try:
        return Result.model_validate(found)
    except ValidationError as failure:
        first = failure.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the result"
        raise BrokenResult(f"{path}: {place}: {first['msg']}") from failure


def write(model: BaseModel, path: Path) -> None:
    """Write a result, or a part of one, atomically. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(model.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
