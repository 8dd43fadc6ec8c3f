"""Blocks of windows: each block has every subject once, in an order drawn from the seed.

Machines drift by tens of per cent within minutes. The windows of one block are close in time and
have the same arrivals, so only differences within blocks are compared.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from types import MappingProxyType
from typing import Protocol

import numpy as np

from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.stopping import Stopping
from borough_bill.load.generator import Generator, Job
from borough_bill.load.recording import Recording
from borough_bill.results import Class, Objective, Rung, Summary, Window
from borough_bill.targets.attribution import Counters, Memory

SEEDS = 10_000
"""Two runs share no schedule unless they share their seed."""
Served = Mapping[str, Mapping[str, int]]
NO_ANSWER = 0
"""The status of a request that was never answered."""


class Target(Protocol):
    """A running deployment, as windows are measured of it.

    `doors` are base URLs by path prefix, `customers` API keys by name, `pids` by process name.
    """

    @property
    def doors(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def customers(self) -> Mapping[str, str]: ...

    @property
    def pids(self) -> Mapping[str, int]: ...

    async def switch_to(self, rung: Rung | None) -> None:
        """Switch to this rung, if it is not None; a window begins."""
        ...

    async def settle(self) -> Mapping[str, float]:
        """Wait until the work that the window left is done. Returns the CPU seconds, by process
        name, that the generator could not read: of the export of spans, or all since `switch_to`
        where it can read no clock.
        """
        ...

    async def counters(self) -> Counters:
        """The counters of its parts."""
        ...

    async def memory(self) -> Mapping[str, Memory]:
        """The memory of its processes, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What a window measures: a target, or a rung that its processes can be switched to."""

    name: str
    target: Target
    rung: Rung | None = None

    @property
    def label(self) -> str:
        """Its name in a block, where it is unique."""
        return self.rung or self.name


class Session:
    """Windows measured with one generator.

    `served` counts the expected answers by subject and class, including those of the warm-up and of
    earlier sessions; `on_served` is called with it after each window.
    """

    def __init__(
        self,
        generator: Generator,
        served: Served = MappingProxyType({}),
        on_served: Callable[[Served], object] = lambda _: None,
        core: int | None = None,
    ) -> None:
        self._core = core
        self.served = defaultdict[str, Counter[str]](Counter)
        self.served.update({subject: Counter(classes) for subject, classes in served.items()})
        self._generator = generator
        self._on_served = on_served

    async def blocks(
        self,
        folder: Folder,
        intent: Intent,
        subjects: Sequence[Subject],
        on_step: Callable[[str, float], object],
        stopping: Stopping,
    ) -> None:
        """Measure every missing window of as many blocks as `stopping` permits; `on_step` is called
        before each with its name and the seconds that it should take.

        Raises JobFailed, BrokenRecording, NotExposed, ProcessGone and what a target raises.
        """
        plan = intent.plan
        for block in takewhile(stopping.another, count()):
            chance = random.Random(f"{intent.seed}/{block}")  # noqa: S311  # repeatable
            for subject in _drawn(subjects, plan.together, chance):
                if not folder.has(block, subject.label):
                    seconds = plan.seconds_of(subject.label)
                    on_step(f"block {block + 1}, {subject.label}", plan.warm_up_s + seconds)
                    job = Job(
                        doors=dict(subject.target.doors),
                        workload=plan.workload,
                        out=folder.recording(block, subject.label),
                        seconds=seconds,
                        rate=plan.rate,
                        arrivals=plan.arrivals,
                        warm_up_s=plan.warm_up_s,
                        seed=SEEDS * intent.seed + block,
                        customers=dict(subject.target.customers),
                        pids=dict(subject.target.pids),
                        core=self._core,
                        set_up=False,
                    )
                    folder.keep(await self.measure(subject, job, block, plan.objective))

    async def measure(
        self, subject: Subject, job: Job, block: int = 0, objective: Objective | None = None
    ) -> Window:
        """One window, from its warm-up to the last answer. Counters and the CPU of the work left
        after it include the warm-up's, and are divided by served requests.
        """
        await subject.target.switch_to(subject.rung)
        before = await subject.target.counters()
        recording = await self._generator.run(job)
        left = await subject.target.settle()
        self.served[subject.name].update(recording.answered)
        self._on_served(self.served)
        added = (await subject.target.counters()).since(before)
        held = await subject.target.memory()
        header, measured = recording.header, recording.measured
        everything = int(np.count_nonzero(recording.requests["ok"]))
        share = recording.served / everything if everything else 0.0
        unanswered = int(np.count_nonzero(measured["status"] == NO_ANSWER))
        served = recording.served > 0
        return Window(
            block=block,
            experiment="shapes" if subject.rung is None else "ladder",
            subject=subject.name,
            rung=subject.rung,
            seconds=header.window_s,
            offered=len(measured),
            served=recording.served,
            failed=unanswered,
            wrong=recording.failed - unanswered,
            in_time=None
            if objective is None
            else int(np.count_nonzero(recording.latencies() * 1_000 <= objective.threshold_ms)),
            latency=Summary.of(recording.latencies(), sketch=True) if served else None,
            from_sent=Summary.of(recording.from_sent()) if served else None,
            slip=Summary.of(recording.slips(), sketch=True) if len(measured) else None,
            classes=_classes(recording) if len(header.classes) > 1 else {},
            cpu_s={
                name: header.cpu.get(name, 0.0) + share * left.get(name, 0.0)
                for name in {**header.cpu, **left}
            },
            rss_mib={name: there.rss_mib for name, there in held.items()},
            pss_mib={name: m.pss_mib for name, m in held.items() if m.pss_mib is not None},
            generator_cpu_s=header.generator_cpu_s,
            others_s=None
            if header.core_busy_s is None
            else max(header.core_busy_s - sum(header.cpu.values()), 0.0),
            hops=added.hops(share),
            transactions=added.transactions(share),
            recording=recording.path.name,
        )


def _drawn(
    subjects: Sequence[Subject], together: Sequence[Collection[str]], chance: random.Random
) -> Iterator[Subject]:
    """All subjects in random order, but those `together` one after the other: the speed of a
    machine changes less between two windows in a row than within a block.
    """
    group_of = {label: number for number, labels in enumerate(together) for label in labels}
    groups: dict[int | str, list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(group_of.get(subject.label, subject.label), []).append(subject)
    for group in chance.sample(list(groups.values()), len(groups)):
        yield from chance.sample(group, len(group))


def _classes(recording: Recording) -> dict[str, Class]:
    classes = {}
    for number, name in enumerate(recording.header.classes):
        latencies = recording.latencies(name)
        classes[name] = Class(
            offered=int(np.count_nonzero(recording.measured["klass"] == number)),
            served=latencies.size,
            latency=Summary.of(latencies) if latencies.size else None,
        )
    return classes
