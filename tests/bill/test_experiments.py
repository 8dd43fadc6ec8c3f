"""Are subjects measured in the same blocks, under the same load, and charged for what they use?"""

import os
from pathlib import Path

import pytest

from bill.fakes import (
    MEASURED,
    SUBJECTS,
    WARM,
    FakeGenerator,
    FakeTarget,
    intent,
    planned_only,
    subjects,
)
from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.shapes import affordable_rate, first_orders
from borough_bill.load.generator import Job
from borough_bill.targets.machine import Placement


async def measured(folder: Folder, wanted: Intent) -> list[Job]:
    """The jobs of a run."""
    folder.clear()
    folder.begin(wanted)
    fake = FakeGenerator()
    await Session(fake.generator).blocks(
        folder, wanted, subjects(), lambda *_: None, planned_only(wanted)
    )
    return fake.jobs


async def test_every_block_has_each_subject_once_in_random_order(
    tmp_path: Path,
) -> None:
    """The order differs between blocks, and is repeated by the seed."""
    jobs = await measured(Folder(tmp_path / "run"), intent())
    names = [job.out.stem.partition("-")[2] for job in jobs]
    blocks = [names[at : at + len(SUBJECTS)] for at in range(0, len(names), len(SUBJECTS))]
    assert [sorted(block) for block in blocks] == [sorted(SUBJECTS)] * 3
    assert len({tuple(block) for block in blocks}) > 1

    again = await measured(Folder(tmp_path / "again"), intent())
    assert [job.out.name for job in again] == [job.out.name for job in jobs]
    other = await measured(Folder(tmp_path / "other"), intent(seed=8))
    assert [job.out.name for job in other] != [job.out.name for job in jobs]


async def test_subjects_of_a_block_share_a_schedule_of_its_own(tmp_path: Path) -> None:
    """Differences within a block are not differences of load."""
    jobs = await measured(Folder(tmp_path / "run"), intent())
    seeds = [job.seed for job in jobs]
    assert [len(set(seeds[at : at + 4])) for at in (0, 4, 8)] == [1, 1, 1]
    assert len(set(seeds)) == 3
    assert {(job.rate, job.seconds, job.warm_up_s) for job in jobs} == {(20, 1, 0.2)}


async def test_grouped_subjects_are_neighbours_in_longer_windows(
    tmp_path: Path,
) -> None:
    """With less time between two windows, the machine's speed drifts less."""
    wanted = intent()
    pair = {"monolith", "microservices"}
    plan = wanted.plan.model_copy(update={"together": (tuple(pair),), "longer": 2})
    jobs = await measured(Folder(tmp_path / "run"), wanted.model_copy(update={"plan": plan}))
    names = [job.out.stem.partition("-")[2] for job in jobs]
    for at in (0, 4, 8):
        first = min(names.index(name, at) for name in pair)
        assert set(names[first : first + 2]) == pair
    assert {name: job.seconds for name, job in zip(names, jobs, strict=True)} == {
        name: 2 if name in pair else 1 for name in SUBJECTS
    }


async def test_cpu_after_the_last_answer_is_charged_to_the_window(tmp_path: Path) -> None:
    """Spans are exported after the last answer. The share of the warm-up is subtracted."""
    target = FakeTarget(left={"gateway-0": 0.05}, pids={"gateway-0": os.getpid()})
    fake, subject = FakeGenerator(), Subject("ladder", target, "T7b")
    job = Job(
        doors=dict(target.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20,
        pids=dict(target.pids),
    )  # fmt: skip  # a job at a glance
    session = Session(fake.generator)
    window = await session.measure(subject, job)
    share = MEASURED / (WARM + MEASURED)
    assert window.cpu_s == {"gateway-0": pytest.approx(0.08 + 0.05 * share)}
    assert (window.experiment, window.rung, window.served) == ("ladder", "T7b", MEASURED)
    assert session.served == {"ladder": {"order": WARM + MEASURED}}
    assert target.rungs == ["T7b"]


async def test_cpu_of_remote_processes_is_charged_without_the_warm_up(
    tmp_path: Path,
) -> None:
    """The clock of a remote process is read before the warm-up, whose share is subtracted."""
    target = FakeTarget(left={"payments-0": 0.1})
    job = Job(doors=dict(target.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20)
    window = await Session(FakeGenerator().generator).measure(Subject("a", target), job)
    assert window.cpu_s == {"payments-0": pytest.approx(0.1 * MEASURED / (WARM + MEASURED))}
    assert window.rss_mib == window.pss_mib == {}


def test_rate_uses_30_percent_of_the_available_core() -> None:
    """So no shape is measured beyond its knee. A window has two orders or more on any machine."""
    assert affordable_rate(0.002, 1.0, 2) == pytest.approx(150)
    assert affordable_rate(0.025, 1.0, 2) == pytest.approx(0.3 / 0.025)
    assert affordable_rate(0.025, 0.5, 2) == pytest.approx(0.15 / 0.025)
    assert affordable_rate(0.5, 0.1, 0.8) == pytest.approx(2.5)


def test_share_of_the_core_is_measured_by_a_busy_process() -> None:
    """On the core of the subjects; afterwards the affinity of the runner is restored."""
    before = os.sched_getaffinity(0)
    assert 0 < Placement.here().core_share(0.05) <= 1.001
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("failing", "tries"), [(0, 1), (2, 3), (9, 3)])
async def test_failed_first_orders_are_repeated_up_to_three_times(
    failing: int, tries: int, tmp_path: Path
) -> None:
    """On a busy machine the first order may miss its deadline. Where a process gets a quarter of
    the core, they are sent at a quarter of the rate.
    """
    fake = FakeGenerator(failing=failing)
    window = await first_orders(
        Subject("a", FakeTarget()), Session(fake.generator), tmp_path / "x", 0.25, "orders"
    )

    assert len(fake.jobs) == tries
    assert (window.served == window.offered) is (failing < tries)
    assert {job.rate for job in fake.jobs} == {5}
    assert {round(job.seconds, 6) for job in fake.jobs} == {2.8}


async def test_cpu_of_others_is_the_busy_core_less_the_subject(tmp_path: Path) -> None:
    """The core was busy for 0.3 s, of which the subject's process used 0.08 s."""
    target, fake = FakeTarget(pids={"gateway-0": os.getpid()}), FakeGenerator(core_busy_s=0.3)
    job = Job(
        doors=dict(target.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20,
        pids=dict(target.pids),
    )  # fmt: skip  # a job at a glance
    window = await Session(fake.generator).measure(Subject("a", target), job)
    assert window.others_s == pytest.approx(0.22)


def test_one_core_is_shared_without_pinning_and_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence on placement says that nothing was pinned."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    alone = Placement.here()
    assert (alone.subjects, alone.generator) == (None, None)
    assert "nothing was pinned" in alone.sentence
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})
    assert Placement.here() == Placement(subjects=3, generator=5)
