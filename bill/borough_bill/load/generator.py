"""The load generator as its user sees it: a process of its own that runs one job after another.

A process, because its garbage, its clock and its core must be nobody else's; one for many jobs,
because imports and a cold interpreter would otherwise be part of every window.

The process itself is `borough_bill.load.process`.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from borough_bill.load.recording import Recording
from borough_bill.load.schedule import POISSON
from borough_bill.targets.processes import die_with_parent, killed

STOP_WITHIN = 5.0
"""Seconds an idle generator has to end by itself."""


class JobFailed(Exception):
    """A job that left no recording; the message says what failed."""


class Job(BaseModel):
    """A run: what is sent where, when, and what is measured meanwhile.

    `doors` are base URLs by path prefix, taken in turn, "" for every other path; `workload` is a
    path or the name of one we ship; `arrivals` as in `schedule.arrivals`. `seconds` of measuring
    follow `warm_up_s`, whose requests are recorded and marked. `customers` are API keys by name.
    The CPU clocks of `pids`, by any name, are read at the window's edges, and how long their `core`
    was busy, if they have one. `connections` bounds the
    connections to one address, `timeout_s` the wait for an answer. `set_up` says whether the
    workload's set-up requests are sent before. `shares` are those of classes as in
    `Workload.with_shares`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    doors: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    workload: str
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    out: Path
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    rate: NonNegativeFloat = 0.0
    arrivals: str = POISSON
    warm_up_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    seed: NonNegativeInt = 0
    customers: dict[str, str] = {}
    pids: dict[str, int] = {}
    core: NonNegativeInt | None = None
    connections: PositiveInt = 1_024
    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    set_up: bool = True


class Progress(BaseModel):
    """How far a run is: `left_s` seconds to go, and its requests so far."""

    left_s: float
    sent: int
    served: int
    failed: int


class Word(BaseModel):
    """One line of the process: how far it is, or how it ended."""

    progress: Progress | None = None
    recording: Path | None = None
    error: str | None = None


class Generator:
    """The process, while the `async with` lasts; on core `cpu`, or wherever the system puts it."""

    def __init__(self, cpu: int | None = None) -> None:
        self._cpu = cpu
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        place = () if self._cpu is None else ("--cpu", str(self._cpu))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough_bill.load.process", *place,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # idle threads are memory all the same
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as one would type it
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._stop()

    @property
    def pid(self) -> int:
        """Of the process, for whoever looks at it from outside."""
        return self._running().pid

    async def run(self, job: Job, tell: Callable[[Progress], None] = lambda _: None) -> Recording:
        """Run a job and read what it left; `tell` hears of its progress about twice a second.

        Raises JobFailed. Whoever cancels this ends the process, and with it this generator.
        """
        process = self._running()
        assert process.stdin is not None  # noqa: S101  # both were asked for
        assert process.stdout is not None  # noqa: S101  # at its start
        try:
            process.stdin.write(job.model_dump_json().encode() + b"\n")
            while line := await process.stdout.readline():
                word = Word.model_validate_json(line)
                if word.progress is not None:
                    tell(word.progress)
                elif word.recording is not None:
                    return Recording.read(word.recording)
                else:
                    raise JobFailed(word.error or "the generator said nothing of what failed")
        except asyncio.CancelledError:
            await killed(process)
            raise
        raise JobFailed(f"the generator ended with {await process.wait()} during {job.out}")

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            raise JobFailed("the generator does not run")
        return self._process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            await killed(process)


def read_keys(path: Path) -> dict[str, str]:
    """API keys by the customer's name, from a file of JSON as a part reads them. Raises JobFailed
    for a file that is not what it should be.

    Nothing of what the file holds is told: keys are secrets.
    """
    try:
        return TypeAdapter(dict[str, str]).validate_python(json.loads(path.read_text("utf-8")))
    except ValidationError:
        raise JobFailed(f"{path} does not hold API keys by name") from None
    except (OSError, ValueError) as error:
        raise JobFailed(f"{path} does not hold API keys by name: {error}") from error
