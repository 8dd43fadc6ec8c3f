"""E2 for two deployments of which only the URLs are known.

Blocks, A/A, checks and statistics are those of the bill. The ladder, the hops and the auditor need
the kit and are left out. Process ids of deployments on this machine add CPU and memory. For
releases of the chart only the ladder is left out. Their auditor is asked whether the stores hold
every promised row; rows that they held before the first window do not count.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, Self

from borough_bill.analysis.runs import Runs
from borough_bill.experiments.blocks import SEEDS, Session, Subject, Target
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.experiments.run import OnStep, result_of
from borough_bill.experiments.scale import AUDIT_S
from borough_bill.experiments.stopping import Stopping, resolved
from borough_bill.load.generator import Generator, Job, JobFailed
from borough_bill.load.recording import Recording
from borough_bill.load.schedule import CONSTANT
from borough_bill.load.wire import Address
from borough_bill.load.workload import workload as workload_of
from borough_bill.results import Frozen, Plan, Result, Rung, write
from borough_bill.targets.attribution import Counters, Memory, cpu_seconds, memory, memory_of
from borough_bill.targets.audit import Audit, Counts
from borough_bill.targets.machine import commit

BOOKS = "books"
A, AGAIN, B = "a", "a-again", "b"
OF = {A: A, AGAIN: A, B: B}
"""The deployment of each subject."""
FIRST_S = 0.5
"""Seconds of requests before the first block, which check that they are answered."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class CannotCompare(Exception):
    """A deployment that cannot be measured; the message names it and says why."""


class Audited(Protocol):
    """A deployment that may have an auditor."""

    async def audit(self) -> Audit | None:
        """The auditor's report; None where there is no auditor."""
        ...


class Books(Frozen):
    """The rows that the stores held before the first window, by deployment."""

    held: Mapping[str, Counts]


class GivenTarget(Target, Audited, Protocol):
    """A target from the command line: its `url`, and the `names` of its processes."""

    @property
    def url(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """Any deployment as the target of windows: a base URL, the pids of its processes if they are
    known, and the API keys of its customers by name if the workload needs them.
    """

    url: str
    pids: Mapping[str, int]
    customers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str, pids: Iterable[int] = (), customers: Mapping[str, str] = NOTHING) -> Self:
        """Raises BadAddress for an invalid URL, ProcessGone for a pid that cannot be read."""
        Address.parse(url)
        return cls(url, {_name(pid): pid for pid in pids}, customers)

    @property
    def doors(self) -> Mapping[str, tuple[str, ...]]:
        return {"": (self.url,)}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.pids)

    async def switch_to(self, rung: Rung | None) -> None:
        """It has no rungs."""

    async def settle(self) -> Mapping[str, float]:
        return {}  # its work after a window is not known

    async def counters(self) -> Counters:
        return Counters({})  # nor are its counters, if it has any

    async def memory(self) -> Mapping[str, Memory]:
        return memory_of(self.pids)

    async def audit(self) -> Audit | None:
        return None


def _name(pid: int) -> str:
    """The name of a process: its command and its pid. Raises ProcessGone."""
    cpu_seconds(pid)
    memory(pid)
    return f"{Path(f'/proc/{pid}/comm').read_text('utf-8').strip()}-{pid}"


def intend(folder: Folder, plan: Plan, seed: int | None) -> Intent:
    """The interrupted run whose windows the folder holds, or a new run; of a random seed where none
    is given.

    Raises WrongFolder if that run had other options, or if the folder was not made by a run.
    """
    if not (folder.unfinished and folder.windows()):
        folder.clear()
        intent = Intent.now("compare", plan, seed)
        folder.begin(intent)
        return intent
    found = folder.intent()
    begun, wanted = (found.kind, found.commit, found.plan), ("compare", commit(), plan)
    if begun != wanted or seed not in (None, found.seed):
        raise WrongFolder(
            f"{folder.path} holds an unfinished run with other options, another workload or of "
            f"another commit ({found.commit}): repeat that, or name another folder"
        )
    return found


async def first_requests(
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, GivenTarget],
    generator: Generator,
    on_step: OnStep,
) -> None:
    """Send the set-up requests and some of the workload to each deployment.

    Raises CannotCompare if they are not answered as the workload expects.
    """
    plan = intent.plan
    for name, deployment in deployments.items():
        on_step(f"first requests to {name}", FIRST_S)
        job = Job(
            doors=dict(deployment.doors),
            workload=plan.workload,
            out=folder.recording(0, f"first-{name}"),
            seconds=FIRST_S,
            rate=plan.rate,
            arrivals=CONSTANT,  # Poisson arrivals might be none
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
    deployments: Mapping[str, GivenTarget],
    generator: Generator,
    on_step: OnStep,
    notes: tuple[str, ...] = (),
) -> Result:
    """Measure the missing windows of A, A again and B, and write the result into the folder.

    Raises JobFailed, BrokenRecording, BrokenResult, ProcessGone, and what a target raises.
    """
    subjects = [Subject(name, deployments[of]) for name, of in OF.items()]
    folder.keep_whole_blocks([subject.label for subject in subjects])
    await held_before(folder, intent.plan.workload, deployments)
    began = time.monotonic()
    stopping = Stopping(intent.plan, lambda: resolved(Runs(result_of(folder, intent))))
    await Session(generator).blocks(folder, intent, subjects, on_step, stopping)
    measured = time.monotonic()
    on_step("running the auditor", AUDIT_S)
    result = result_of(
        folder,
        intent,
        audits=await violations(folder, intent.plan.workload, deployments, OF),
        took_s={"measuring": measured - began, "books": time.monotonic() - measured},
        stopped=stopping.reason,
        notes=notes,
    )
    write(result, folder.path / RESULT)
    return result


async def held_before(folder: Folder, workload: str, deployments: Mapping[str, Audited]) -> Books:
    """The rows that the stores hold at the beginning of the run, also if it is resumed.

    Raises NotCounted.
    """
    found = folder.find(BOOKS, Books)
    if found is None:
        audits = await _audits(deployments)
        for audit in audits.values():
            audit.require(workload_of(workload).promised({}))
        found = folder.put(BOOKS, Books(held={at: audit.counts for at, audit in audits.items()}))
    return found


async def violations(
    folder: Folder, workload: str, deployments: Mapping[str, Audited], of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """The auditor's violations by deployment, and rows that answers promised and the stores did not
    gain. `of` names the deployment of each subject.
    """
    before, audits = await held_before(folder, workload, deployments), await _audits(deployments)
    answered = {at: Counter[str]() for at in audits}
    for window in folder.windows():
        if (at := of[window.subject]) in audits:
            recording = Recording.read(folder.recording(window.block, window.subject))
            answered[at].update(recording.answered)
    promised = workload_of(workload).promised
    return {
        at: audit.with_missing(promised(answered[at]), before.held[at])
        for at, audit in audits.items()
    }


async def _audits(deployments: Mapping[str, Audited]) -> dict[str, Audit]:
    """The reports of those that have an auditor, read one after the other."""
    audits = {at: await deployment.audit() for at, deployment in deployments.items()}
    return {at: audit for at, audit in audits.items() if audit is not None}
