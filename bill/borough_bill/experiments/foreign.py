"""E2 for strangers: two deployments of which nothing is known but where they answer.

Blocks, A/A, checks and statistics are those of the bill. What needs our own code is left out: the
ladder, the hops, the auditor. Process ids, where the deployments run here, add CPU and memory.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from borough_bill.attribution import Counters, cpu_seconds, memory
from borough_bill.experiments.blocks import SEEDS, Session, Subject
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.generator import Generator, Job, JobFailed
from borough_bill.machine import commit, machine
from borough_bill.results import Freeze, Plan, Result, Rung, write
from borough_bill.run import FREEZE, SEED_BELOW, Tell
from borough_bill.wire import Address

A, AGAIN, B = "a", "a-again", "b"
FIRST_S = 0.5
"""Seconds of requests that are sent before the first block, to see whether they are answered."""
NOBODY: Mapping[str, str] = MappingProxyType({})


class CannotCompare(Exception):
    """A deployment that cannot be measured; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Somebody's deployment as a place where windows are measured: a base URL, and perhaps pids."""

    url: str
    pids: Mapping[str, int]

    @classmethod
    def at(cls, url: str, pids: Iterable[int] = ()) -> Self:
        """Raises BadAddress for what is no URL, ProcessGone for a pid that cannot be looked at."""
        Address.parse(url)
        return cls(url, {_name(pid): pid for pid in pids})

    @property
    def doors(self) -> Mapping[str, tuple[str, ...]]:
        """One door for every path."""
        return {"": (self.url,)}

    @property
    def customers(self) -> Mapping[str, str]:
        """Nobody: whatever a foreign deployment asks of its callers stands in the workload."""
        return NOBODY

    async def arm(self, rung: Rung | None) -> None:
        """It has no rungs."""

    async def settle(self) -> Mapping[str, float]:
        """What it leaves to do after a window is its own business."""
        return {}

    async def counters(self) -> Counters:
        """What it counts, if anything, is not ours to understand."""
        return Counters({})


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
    deployments: Mapping[str, Deployment],
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
            arrivals=plan.arrivals,
            seed=SEEDS * intent.seed,
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


async def measure(
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, Deployment],
    generator: Generator,
    tell: Tell,
) -> Result:
    """Measure what the folder does not hold yet of A, A again and B, and write the result there.

    Raises JobFailed, BrokenRecording, BrokenResult, ProcessGone.
    """
    subjects = [Subject(name, deployments[of]) for name, of in ((A, A), (AGAIN, A), (B, B))]
    folder.keep_whole_blocks([subject.label for subject in subjects])
    await Session(generator).blocks(folder, intent, subjects, tell)
    result = Result(
        **intent.model_dump(),
        machine=machine(),
        windows=folder.windows(),
        freeze=folder.find(FREEZE, Freeze),
    )
    write(result, folder.path / RESULT)
    return result
