"""What a measurement found, as data: one file holds all that a bill is computed from.

The bill is a pure function of this file, so that anybody can compute it again, and numbers in a
document can be generated from a committed result. What is broken, foreign or too new is refused.
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
"""Version 1 had fewer facts, and is read all the same."""
Rung = Literal["T0", "T1", "T3", "T5", "T6", "T7a", "T7b"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
"""The ladder from one process to telemetry in full. T2 and T4 do not exist on one machine."""
SKETCH = 200
"""Quantiles a sketch keeps: those of (i + 1/2) / 200."""

Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class BrokenResult(Exception):
    """A file is not the result it should be; the message names it and says why."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Machine(_Fact):
    """Where it was measured. `packages` are versions by name."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    packages: Mapping[str, str] = {}

    @property
    def reads_processes(self) -> bool:
        """Whether CPU and memory of a process can be read from outside."""
        return self.kernel.startswith("Linux")


class Summary(_Fact):
    """A distribution of times in milliseconds. `sketch` has 200 quantiles, or is left out."""

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
        p50, p90, p99, p999 = np.quantile(ms, (0.5, 0.9, 0.99, 0.999)).round(5).tolist()
        points = np.quantile(ms, (np.arange(SKETCH) + 0.5) / SKETCH) if sketch else ms[:0]
        return cls(
            mean=round(float(ms.mean()), 5),
            p50=p50,
            p90=p90,
            p99=p99,
            p999=p999,
            max=round(float(ms[-1]), 5),
            sketch=tuple(points.round(4).tolist()),
        )


class Hop(_Fact):
    """Calls over one edge within a window: seconds at the caller, in the callee's stack, in its
    handler; each a sum over all calls.
    """

    calls: Count
    total_s: Amount
    server_s: Amount
    handler_s: Amount


class Class(_Fact):
    """One class of requests within a window."""

    offered: Count
    served: Count
    latency: Summary | None = None


class Objective(_Fact):
    """The doors are to answer this share of all requests within so many milliseconds."""

    ratio: Annotated[float, Field(gt=0, lt=1)]
    threshold_ms: Annotated[float, Field(gt=0)]


class Window(_Fact):
    """One subject under load, or idle, for some seconds: the smallest thing that is measured.

    `latency` is from the intended send time, `from_sent` from the actual one, of served requests
    only, and None where nothing was served; `slip` is between the two times, of all requests.
    `wrong` answers came but were not as expected; `in_time` were served within the objective of the
    plan, None where it has none. CPU seconds, memory (MiB) are by process, `hops` by "peer.method",
    and `transactions` are writes by capability. `others_s` are seconds that processes beside the
    subject's used its core; None where it had none of its own.
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
        """How messages call it."""
        return f"block {self.block}, {self.experiment}, {self.rung or self.subject}"


class HopRung(_Fact):
    """One hop alone at one rung: means and quantiles of a call, CPU of a call, microseconds.

    `pause_ms` is how long the caller rested after every call.
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


class Freeze(_Fact):
    """What the generator saw of a server that stands still 1 s in every 10 s, in seconds; and what
    that server says itself of when it answered. By arithmetic P(latency > x) = (1 s - x) / 10 s;
    on a busy machine it wakes up later, and takes longer to answer those who wait.
    """

    p95_s: float
    p99_s: float
    given_p95_s: float = 0.5
    given_p99_s: float = 0.9


class CriticalPath(_Fact):
    """Means over traces: an order's critical path, and what hops hold of it, by edge; in ms.

    `work` is the rest, by capability. `left_out` traces more were incomplete.
    """

    traces: Annotated[int, Field(gt=0)]
    path_ms: float
    hop_ms: float
    hops: float
    edges: Mapping[str, float] = {}
    work: Mapping[str, float] = {}
    left_out: Count = 0


class Plan(_Fact):
    """What was to be measured, fixed before.

    `blocks` are measured at least; more are added, up to `most` and for `measuring_s` seconds, as
    long as a headline line is not told: see `borough_bill.experiments.stopping`. `ladder` says
    whether the rungs stand in the blocks.

    `reference` is what all else is compared with, `again` the same a second time (A/A), `shapes`
    are compared, `baseline` is the order as one transaction, `top` the shape the ladder leads to.
    `together` are subjects and rungs that stand side by side in every block, with windows `longer`
    times as long: those that must come to the same. `noun` is what one request is called. `labels`
    say more about a subject than its name. `sources` say where "CPU" and "memory" were read, where
    that was not on this machine. `objective` is that of the application's doors, if it has one.
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
        """How long the windows of a subject or rung are."""
        precise = any(label in group for group in self.together)
        return self.seconds * self.longer if precise else self.seconds

    @property
    def open_ended(self) -> bool:
        """Whether what was found decides how many blocks there are."""
        return (self.most or self.blocks) > self.blocks

    @property
    def subjects(self) -> tuple[str, ...]:
        """What stands in a block beside the ladder, the reference first."""
        others = () if self.baseline is None else (self.baseline,)
        return (self.reference, self.again, *self.shapes, *others)


class Result(_Fact):
    """Everything one run found. `audits` are the auditor's complaints by shape: () where clean;
    `took_s` are the seconds of its stages, `stopped` says why no block more was measured.
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


def read(path: Path) -> Result:
    """The result in this file. Raises BrokenResult, naming the file and what is wrong with it."""
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


def write(fact: BaseModel, path: Path) -> None:
    """Write a result, or a piece of one, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(fact.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
