"""Blocks of windows: in each block every subject once, in an order drawn from the seed.

Machines drift by tens of per cent within minutes. What stands in one block was measured within one
of them, under the same arrivals, so that only the differences inside blocks are compared.
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


class Place(Protocol):
    """Where a subject answers, and what can be seen of it from outside.

    `doors` are base URLs by path prefix, `customers` API keys by name, `pids` by process name.
    """

    @property
    def doors(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def customers(self) -> Mapping[str, str]: ...

    @property
    def pids(self) -> Mapping[str, int]: ...

    async def arm(self, rung: Rung | None) -> None:
        """Stand on this rung; None where it has none."""
        ...

    async def settle(self) -> Mapping[str, float]:
        """Let the processes do what a window left to do; answers the CPU seconds, by process name,
        that the generator could not see: what belongs to the window all the same, such as the
        export of its spans, or all since `arm` where it can read no clock.
        """
        ...

    async def counters(self) -> Counters:
        """What its parts have counted so far."""
        ...

    async def memory(self) -> Mapping[str, Memory]:
        """What its processes hold now, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What a window is measured of: a deployment, or a rung that its processes can stand on."""

    name: str
    place: Place
    rung: Rung | None = None

    @property
    def label(self) -> str:
        """What tells it from the other subjects of a block."""
        return self.rung or self.name


class Session:
    """Windows measured with one generator. `served` counts all requests that were answered well, by
    subject and class, those of the warm-up and of earlier sessions too; `keep` hears of it after
    each window.
    """

    def __init__(
        self,
        generator: Generator,
        served: Served = MappingProxyType({}),
        keep: Callable[[Served], object] = lambda _: None,
        core: int | None = None,
    ) -> None:
        self._core = core
        self.served = defaultdict[str, Counter[str]](Counter)
        self.served.update({subject: Counter(classes) for subject, classes in served.items()})
        self._generator = generator
        self._keep = keep

    async def blocks(
        self,
        folder: Folder,
        intent: Intent,
        subjects: Sequence[Subject],
        tell: Callable[[str, float], object],
        stopping: Stopping,
    ) -> None:
        """Measure every window that is not there yet, of as many blocks as `stopping` lets be;
        `tell` hears of each before it begins, with the seconds it is meant to take.

        Raises JobFailed, BrokenRecording, NotExposed, ProcessGone and whatever a place raises.
        """
        plan = intent.plan
        for block in takewhile(stopping.another, count()):
            chance = random.Random(f"{intent.seed}/{block}")  # noqa: S311  # to be repeated
            for subject in _drawn(subjects, plan.together, chance):
                if not folder.has(block, subject.label):
                    what = f"block {block + 1}, {subject.label}"
                    seconds = plan.seconds_of(subject.label)
                    tell(what, plan.warm_up_s + seconds)
                    job = Job(
                        doors=dict(subject.place.doors),
                        workload=plan.workload,
                        out=folder.recording(block, subject.label),
                        seconds=seconds,
                        rate=plan.rate,
                        arrivals=plan.arrivals,
                        warm_up_s=plan.warm_up_s,
                        seed=SEEDS * intent.seed + block,
                        customers=dict(subject.place.customers),
                        pids=dict(subject.place.pids),
                        core=self._core,
                        set_up=False,
                    )
                    window = await self.measure(subject, job, block, plan.objective)
                    folder.keep(window)

    async def measure(
        self, subject: Subject, job: Job, block: int = 0, objective: Objective | None = None
    ) -> Window:
        """One window, from its warm-up to the last answer."""
        await subject.place.arm(subject.rung)
        before = await subject.place.counters()
        recording = await self._generator.run(job)
        left = await subject.place.settle()
        self.served[subject.name].update(recording.answered)
        self._keep(self.served)
        added = (await subject.place.counters()).since(before)
        held = await subject.place.memory()
        return window_of(recording, block, subject, added, left, held, objective)


def _drawn(
    subjects: Sequence[Subject], together: Sequence[Collection[str]], chance: random.Random
) -> Iterator[Subject]:
    """All subjects in an order of chance, but those `together` one after the other: a machine that
    grows faster or slower within a block does so less between neighbours.
    """
    place = {label: number for number, labels in enumerate(together) for label in labels}
    groups: dict[int | str, list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(place.get(subject.label, subject.label), []).append(subject)
    for group in chance.sample(list(groups.values()), len(groups)):
        yield from chance.sample(group, len(group))


def window_of(  # noqa: PLR0913, PLR0917  # all that is known of a window
    recording: Recording,
    block: int,
    subject: Subject,
    added: Counters,
    left: Mapping[str, float],
    held: Mapping[str, Memory],
    objective: Objective | None = None,
) -> Window:
    """A window from the requests of a recording, the counters that grew meanwhile, the CPU of what
    was left to do, and the memory that is held after it.

    Counters and what was left are of the warm-up too, and are shared out by served requests.
    """
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
