"""In-memory fakes of what a run measures with: the generator, a target and a cluster.

With them a whole run takes milliseconds, so that its rules can be tested. They are typed against
`Generator`, `Target` and `Kubectl`, so that a change of those breaks the type check of the fakes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from borough_bill.experiments.blocks import Subject
from borough_bill.experiments.folder import Intent
from borough_bill.experiments.scale import DEMO
from borough_bill.experiments.stopping import Stopping
from borough_bill.load.generator import Generator, Job
from borough_bill.load.recording import REQUEST, Header, Recording
from borough_bill.results import Plan, Rung
from borough_bill.targets.attribution import Counters, Memory, memory_of
from borough_bill.targets.cluster import Kubectl, Unreachable

WARM, MEASURED = 2, 8
"""Requests in the warm-up of every window, and in the window."""
SUBJECTS = (DEMO.reference, DEMO.again, DEMO.shapes[0], DEMO.shapes[-1])


@dataclass
class FakeGenerator:
    """A generator that sends nothing and records its jobs, all requests of which are of the class
    `klass`. Job `interrupted_at` is cancelled, as by Ctrl-C; all requests of the first `failing`
    ones fail; the subjects' core is busy for `core_busy_s` in each.
    """

    interrupted_at: int | None = None
    failing: int = 0
    core_busy_s: float | None = None
    klass: str = "order"
    jobs: list[Job] = field(default_factory=list)

    async def run(self, job: Job) -> Recording:
        """A recording in which every request took 5 ms, and every process used 80 ms of CPU."""
        if len(self.jobs) == self.interrupted_at:
            raise asyncio.CancelledError
        self.jobs.append(job)
        requests = np.zeros(WARM + MEASURED, REQUEST)
        requests["intended"] = requests["sent"] = np.arange(WARM + MEASURED) / job.rate
        requests["done"] = requests["first_byte"] = requests["sent"] + 0.005
        requests["status"], requests["ok"] = 201, len(self.jobs) > self.failing
        requests["warm"][:WARM] = True
        header = Header(
            job={},
            run="",
            classes=(self.klass,),
            window_begin_s=0,
            window_s=job.seconds,
            cpu=dict.fromkeys(job.pids, 0.08),
            core_busy_s=self.core_busy_s,
            generator_cpu_s=0.01,
            connections=1,
            held_back=0,
            reasons={},
        )
        return Recording(job.out, header, requests)

    @property
    def generator(self) -> Generator:
        """This fake, typed as a generator."""
        return cast(Generator, self)


@dataclass
class FakeTarget:
    """A place that records its rungs; `settle` returns `left`, CPU seconds by process."""

    left: Mapping[str, float] = field(default_factory=dict)
    rungs: list[Rung | None] = field(default_factory=list)
    doors: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"": ("http://127.0.0.1:9",)}
    )
    customers: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)

    async def switch_to(self, rung: Rung | None) -> None:
        """Record the rung."""
        self.rungs.append(rung)

    async def settle(self) -> Mapping[str, float]:
        """The CPU seconds in `left`."""
        return self.left

    async def counters(self) -> Counters:
        """No counters."""
        return Counters({})

    async def memory(self) -> Mapping[str, Memory]:
        """The real memory of `pids`."""
        return memory_of(self.pids)


@dataclass
class FakeCluster(Kubectl):
    """A cluster in memory: objects by API path, base URLs by target, the output of commands."""

    objects: dict[str, Any]
    urls: dict[str, str] = field(default_factory=dict)
    output: str = ""

    async def get(self, path: str) -> dict[str, Any]:
        """The object at a path. Raises Unreachable where there is none."""
        if path not in self.objects:
            raise Unreachable(f"nothing is at {path}")
        found: dict[str, Any] = self.objects[path]
        return found

    @asynccontextmanager
    async def forwarded(self, namespace: str, target: str, port: int) -> AsyncIterator[str]:
        """The base URL of the target."""
        yield self.urls[target]

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """The output of any command."""
        return self.output


def subjects() -> tuple[Subject, ...]:
    """A subject for each name in SUBJECTS, each in a `FakeTarget`."""
    return tuple(Subject(name, FakeTarget()) for name in SUBJECTS)


def planned_only(of: Intent) -> Stopping:
    """A rule that ends the run after the planned blocks, since every line counts as resolved."""
    return Stopping(of.plan, lambda: True)


def intent(blocks: int = 3, seed: int = 7) -> Intent:
    """A small plan for SUBJECTS."""
    plan = Plan(
        blocks=blocks,
        seconds=1,
        warm_up_s=0.2,
        rate=20,
        workload="orders",
        reference=SUBJECTS[0],
        again=SUBJECTS[1],
        shapes=SUBJECTS[2:],
    )
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Intent(kind="preliminary", created=created, seed=seed, commit="abc", plan=plan)
