"""E2 for strangers: two deployments of which nothing is known but where they answer.

Blocks, A/A, checks and statistics are those of the bill. What needs our own code is left out: the
ladder, the hops, the auditor. Process ids, where the deployments run here, add CPU and memory. Of a
release of our own chart all is known but the ladder.
"""

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, Self

from borough_bill.analysis.lines.runs import Runs
from borough_bill.experiments import books
from borough_bill.experiments.blocks import SEEDS, Place, Session, Subject
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.experiments.run import FREEZE, SEED_BELOW, Tell
from borough_bill.experiments.scale import AUDIT_S
from borough_bill.experiments.stopping import Stopping, told
from borough_bill.load.generator import Generator, Job, JobFailed
from borough_bill.load.schedule import CONSTANT
from borough_bill.load.wire import Address
from borough_bill.results import Freeze, Plan, Result, Rung, write
from borough_bill.targets.attribution import Counters, Memory, cpu_seconds, memory, memory_of
from borough_bill.targets.audit import Audit
from borough_bill.targets.machine import commit, machine

A, AGAIN, B = "a", "a-again", "b"
OF = {A: A, AGAIN: A, B: B}
"""Which deployment a subject is."""
FIRST_S = 0.5
"""Seconds of requests that are sent before the first block, to see whether they are answered."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class CannotCompare(Exception):
    """A deployment that cannot be measured; the message names it and says why."""


class Target(Place, Protocol):
    """A place as it was given on the command line: `url`, and the `names` of its processes."""

    @property
    def url(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    async def audit(self) -> Audit | None:
        """What the auditor says of its books; None where nobody knows how to read them."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What is to be told of where deployments run; as in `Plan` and `Result`."""

    placement: str = "the deployments wherever they were started"
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """Somebody's deployment as a place where windows are measured: a base URL, perhaps pids of its
    processes, and the API keys of its customers by name, where the workload needs any.
    """

    url: str
    pids: Mapping[str, int]
    customers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str, pids: Iterable[int] = (), customers: Mapping[str, str] = NOTHING) -> Self:
        """Raises BadAddress for what is no URL, ProcessGone for a pid that cannot be looked at."""
        Address.parse(url)
        return cls(url, {_name(pid): pid for pid in pids}, customers)

    @property
    def doors(self) -> Mapping[str, tuple[str, ...]]:
        """One door for every path."""
        return {"": (self.url,)}

    @property
    def names(self) -> tuple[str, ...]:
        """Of its processes."""
        return tuple(self.pids)

    async def arm(self, rung: Rung | None) -> None:
        """It has no rungs."""

    async def settle(self) -> Mapping[str, float]:
        """What it leaves to do after a window is its own business."""
        return {}

    async def counters(self) -> Counters:
        """What it counts, if anything, is not ours to understand."""
        return Counters({})

    async def memory(self) -> Mapping[str, Memory]:
        """What its processes hold. Raises ProcessGone."""
        return memory_of(self.pids)

    async def audit(self) -> Audit | None:
        """Its books, if it has any, are not ours to read."""
        return None


def _name(pid: int) -> str:
    """What the bill calls a process: its command and its pid. Raises ProcessGone."""
    cpu_seconds(pid)
    memory(pid)
    return f"{Path(f'/proc/{pid}/comm').read_text('utf-8').strip()}-{pid}"


def intend(folder: Folder, plan: Plan, seed: int | None) -> Intent:
    """What is going to be measured: what the folder holds windows of, of an interrupted run, or a
    new run; of any seed where none is given.

    Raises WrongFolder where that run was another, or something lies there that no run made.
    """
    if not (folder.unfinished and folder.windows()):
        folder.clear()
        intent = Intent(
            kind="compare",
            created=datetime.now(UTC),
            seed=random.SystemRandom().randrange(SEED_BELOW) if seed is None else seed,
            commit=commit(),
            plan=plan,
        )
        folder.begin(intent)
        return intent
    found = folder.intent()
    begun, asked = (found.kind, found.commit, found.plan), ("compare", commit(), plan)
    if begun != asked or seed not in (None, found.seed):
        raise WrongFolder(
            f"{folder.path} holds an unfinished run with other options, another workload or of "
            f"another commit ({found.commit}): repeat that, or name another folder"
        )
    return found


async def introduce(
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, Target],
    generator: Generator,
    tell: Tell,
) -> None:
    """Send each the set-up requests, and some of the workload's.

    Raises CannotCompare where they are not answered as the workload expects.
    """
    plan = intent.plan
    for name, deployment in deployments.items():
        tell(f"first requests to {name}", FIRST_S)
        job = Job(
            doors=dict(deployment.doors),
            workload=plan.workload,
            out=folder.recording(0, f"first-{name}"),
            seconds=FIRST_S,
            rate=plan.rate,
            arrivals=CONSTANT,  # by chance there might be none
            seed=SEEDS * intent.seed,
            customers=dict(deployment.customers),
        )
        try:
            recording = await generator.run(job)
        except JobFailed as failure:
            raise CannotCompare(f"{name}, {deployment.url}: {failure}") from failure
        if recording.failed:
            reasons = ", ".join(f"{n} x {why}" for why, n in recording.header.reasons.items())
            raise CannotCompare(
                f"{name}, {deployment.url}: {recording.failed} of the first "
                f"{len(recording.measured)} requests failed: {reasons}"
            )


async def measure(  # noqa: PLR0913, PLR0917  # what, where and how
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, Target],
    generator: Generator,
    tell: Tell,
    notes: tuple[str, ...] = (),
) -> Result:
    """Measure what the folder does not hold yet of A, A again and B, and write the result there.

    Raises JobFailed, BrokenRecording, BrokenResult, ProcessGone, and what a place raises.
    """
    subjects = [Subject(name, deployments[of]) for name, of in OF.items()]
    folder.keep_whole_blocks([subject.label for subject in subjects])
    await books.begin(folder, intent.plan.workload, deployments)
    began = time.monotonic()

    def so_far() -> Result:
        return Result(
            **intent.model_dump(),
            machine=machine(),
            windows=folder.windows(),
            freeze=folder.find(FREEZE, Freeze),
        )

    stopping = Stopping(intent.plan, lambda: told(Runs(so_far())))
    await Session(generator).blocks(folder, intent, subjects, tell, stopping)
    measured = time.monotonic()
    tell("closing the books", AUDIT_S)
    result = so_far().model_copy(
        update={
            "audits": await books.complaints(folder, intent.plan.workload, deployments, OF),
            "took_s": {"measuring": measured - began, "books": time.monotonic() - measured},
            "stopped": stopping.reason,
            "notes": notes,
        }
    )
    write(result, folder.path / RESULT)
    return result
