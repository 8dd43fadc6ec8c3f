"""The load generator: a child process, whose code is `attack`, that runs one job after another.

It is a process, because its garbage collection, its CPU clock and its core must not be shared. One
process runs many jobs, so that imports and a cold interpreter are in no window.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from borough_bill.load import Data
from borough_bill.load.recording import Recording
from borough_bill.load.schedule import POISSON
from borough_bill.targets.processes import die_with_parent, killed

STOP_WITHIN = 5.0
"""Seconds that an idle generator has to end, before it is killed."""


class JobFailed(Exception):
    """A job ended without a recording; the message says what failed."""


class Job(Data):
    """What one attack sends, where and when, and what is measured meanwhile.

    `doors` are base URLs by path prefix, used in turn; the prefix "" stands for every other path.
    `workload` is a path or the name of a shipped workload; `shares` are those of its classes, as in
    `Workload.with_shares`. `arrivals` is a schedule as in `schedule.arrivals`, `rate` requests a
    second. The window of `seconds` follows the warm-up of `warm_up_s`, whose requests are recorded
    and marked. `customers` are API keys by name. `out` is the path of the recording.

    The CPU clocks of `pids`, by any name, are read at the edges of the window, and so is the busy
    time of their `core`, if it is given. `connections` bounds the connections to one address,
    `timeout_s` the wait for an answer. `set_up` says whether the workload's set-up requests are
    sent first.
    """

    doors: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    workload: str
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    out: Path
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    rate: Annotated[float, Field(ge=0)] = 0.0
    arrivals: str = POISSON
    warm_up_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    seed: Annotated[int, Field(ge=0)] = 0
    customers: dict[str, str] = Field(default_factory=dict)
    pids: dict[str, int] = Field(default_factory=dict)
    core: Annotated[int, Field(ge=0)] | None = None
    connections: Annotated[int, Field(gt=0)] = 1_024
    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    set_up: bool = True


class Progress(BaseModel):
    """The progress of an attack: the seconds that are left, and its requests so far."""

    left_s: float
    sent: int
    served: int
    failed: int


class Message(BaseModel):
    """One line of the child process: progress, or how the job ended."""

    progress: Progress | None = None
    recording: Path | None = None
    error: str | None = None


class Generator:
    """The child process, while the `async with` lasts; pinned to core `cpu`, if that is given."""

    def __init__(self, cpu: int | None = None) -> None:
        self._cpu = cpu
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        place = () if self._cpu is None else ("--cpu", str(self._cpu))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough_bill.load.attack", *place,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # idle threads would hold memory
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as it is typed
        return self

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            await killed(process)

    @property
    def pid(self) -> int:
        """The pid of the child process. Raises JobFailed where it does not run."""
        return self._running().pid

    async def run(
        self, job: Job, on_progress: Callable[[Progress], None] = lambda _: None
    ) -> Recording:
        """Run a job and read its recording; `on_progress` is called about twice a second.

        Raises JobFailed and BrokenRecording. Cancelling it kills the child process for good.
        """
        process = self._running()
        assert process.stdin is not None  # noqa: S101  # both are pipes
        assert process.stdout is not None  # noqa: S101  # as above
        try:
            process.stdin.write(job.model_dump_json().encode() + b"\n")
            while line := await process.stdout.readline():
                message = Message.model_validate_json(line)
                if message.progress is not None:
                    on_progress(message.progress)
                elif message.recording is not None:
                    return Recording.read(message.recording)
                else:
                    raise JobFailed(message.error or "the generator failed without a message")
        except asyncio.CancelledError:
            await killed(process)
            raise
        raise JobFailed(f"the generator ended with {await process.wait()} during {job.out}")

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            raise JobFailed("the generator does not run")
        return self._process


def read_keys(path: Path) -> dict[str, str]:
    """API keys by customer, from a JSON file. Raises JobFailed, which quotes no secret value."""
    try:
        return TypeAdapter(dict[str, str]).validate_python(json.loads(path.read_text("utf-8")))
    except ValidationError:
        raise JobFailed(f"{path} does not hold API keys by name") from None
    except (OSError, ValueError) as error:
        raise JobFailed(f"{path} does not hold API keys by name: {error}") from error
