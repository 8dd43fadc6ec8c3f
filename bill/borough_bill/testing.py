"""Twins of what a run measures with: a generator that sends nothing, places where nothing answers.

With them a whole run takes milliseconds, so that the runner's own laws can be tested one by one.
They are shipped, as `borough.testing` is, and typed against the seams they stand in for, the
generator, `Place` and `Cluster`: a seam that changes takes its twin along.
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
from borough_bill.experiments.stopping import Stopping
from borough_bill.load.generator import Generator, Job
from borough_bill.load.recording import REQUEST, Header, Recording
from borough_bill.results import Plan, Rung
from borough_bill.targets.attribution import Counters, Memory, memory_of
from borough_bill.targets.cluster import Unreachable

WARM, MEASURED = 2, 8
"""Requests of every window."""
NAMES = ("monolith", "monolith-again", "apis", "microservices")


@dataclass
class Scripted:
    """Records the jobs it gets; job `interrupted_at` is cancelled, as by Ctrl-C, and all requests
    of the first `failing` ones fail. The subjects' core was busy for `core_busy_s` in each. All
    requests are of the class `klass`.
    """

    interrupted_at: int | None = None
    failing: int = 0
    core_busy_s: float | None = None
    klass: str = "order"
    jobs: list[Job] = field(default_factory=list)

    async def run(self, job: Job) -> Recording:
        """Every request is answered well after 5 ms, and each process used 80 ms."""
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
        """As whoever measures with it sees it."""
        return cast(Generator, self)


@dataclass
class Nowhere:
    """A place that counts how often it was told its rung, and what it is asked."""

    left: Mapping[str, float] = field(default_factory=dict)
    rungs: list[Rung | None] = field(default_factory=list)
    doors: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"": ("http://127.0.0.1:9",)}
    )
    customers: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)

    async def arm(self, rung: Rung | None) -> None:
        """Remember it."""
        self.rungs.append(rung)

    async def settle(self) -> Mapping[str, float]:
        """What it was made with."""
        return self.left

    async def counters(self) -> Counters:
        """Nothing is counted here."""
        return Counters({})

    async def memory(self) -> Mapping[str, Memory]:
        """What its processes really hold, if it was given any."""
        return memory_of(self.pids)


@dataclass
class Listed:
    """A cluster that holds what it was given: objects by their path in the API, a base URL for each
    target that is forwarded to, and what every command prints.
    """

    objects: dict[str, Any]
    urls: dict[str, str] = field(default_factory=dict)
    words: str = ""

    async def get(self, path: str) -> dict[str, Any]:
        """Refuses a path that it does not have."""
        if path not in self.objects:
            raise Unreachable(f"nothing is at {path}")
        found: dict[str, Any] = self.objects[path]
        return found

    @asynccontextmanager
    async def forwarded(self, namespace: str, target: str, port: int) -> AsyncIterator[str]:
        """The URL that stands for the target."""
        yield self.urls[target]

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """The same words for everybody."""
        return self.words


def subjects() -> tuple[Subject, ...]:
    """Those of NAMES, nowhere."""
    return tuple(Subject(name, Nowhere()) for name in NAMES)


def planned_only(of: Intent) -> Stopping:
    """Ends after the blocks that are planned, whatever was found."""
    return Stopping(of.plan, lambda: True)


def intent(blocks: int = 3, seed: int = 7) -> Intent:
    """A small plan for NAMES."""
    plan = Plan(
        blocks=blocks,
        seconds=1,
        warm_up_s=0.2,
        rate=20,
        workload="orders",
        reference=NAMES[0],
        again=NAMES[1],
        shapes=NAMES[2:],
    )
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Intent(kind="preliminary", created=created, seed=seed, commit="abc", plan=plan)
