"""Is every subject measured beside every other, under the same load, and charged what it used?"""

import os
from pathlib import Path

import pytest

from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.shapes import affordable_rate, first_orders
from borough_bill.load.generator import Job
from borough_bill.targets.placement import Placement
from borough_bill.testing import (
    MEASURED,
    NAMES,
    WARM,
    Nowhere,
    Scripted,
    intent,
    planned_only,
    subjects,
)


async def measured(folder: Folder, wanted: Intent) -> list[Job]:
    """The jobs of a run."""
    folder.clear()
    folder.begin(wanted)
    script = Scripted()
    await Session(script.generator).blocks(
        folder, wanted, subjects(), lambda *_: None, planned_only(wanted)
    )
    return script.jobs


async def test_in_each_block_every_subject_stands_once_in_an_order_of_its_own(
    tmp_path: Path,
) -> None:
    """Who is measured first gains nothing by it, and a seed repeats the whole order."""
    jobs = await measured(Folder(tmp_path / "run"), intent())
    names = [job.out.stem.partition("-")[2] for job in jobs]
    blocks = [names[at : at + len(NAMES)] for at in range(0, len(names), len(NAMES))]
    assert [sorted(block) for block in blocks] == [sorted(NAMES)] * 3
    assert len({tuple(block) for block in blocks}) > 1

    again = await measured(Folder(tmp_path / "again"), intent())
    assert [job.out.name for job in again] == [job.out.name for job in jobs]
    other = await measured(Folder(tmp_path / "other"), intent(seed=8))
    assert [job.out.name for job in other] != [job.out.name for job in jobs]


async def test_a_block_has_one_schedule_and_no_two_blocks_share_it(tmp_path: Path) -> None:
    """Differences inside a block are no differences between loads."""
    jobs = await measured(Folder(tmp_path / "run"), intent())
    seeds = [job.seed for job in jobs]
    assert [len(set(seeds[at : at + 4])) for at in (0, 4, 8)] == [1, 1, 1]
    assert len(set(seeds)) == 3
    assert {(job.rate, job.seconds, job.warm_up_s) for job in jobs} == {(20, 1, 0.2)}


async def test_what_must_come_to_the_same_stands_side_by_side_in_longer_windows(
    tmp_path: Path,
) -> None:
    """The less time between two windows, the less of the machine's weather between them."""
    wanted = intent()
    pair = {"monolith", "microservices"}
    plan = wanted.plan.model_copy(update={"together": (tuple(pair),), "longer": 2})
    jobs = await measured(Folder(tmp_path / "run"), wanted.model_copy(update={"plan": plan}))
    names = [job.out.stem.partition("-")[2] for job in jobs]
    for at in (0, 4, 8):
        first = min(names.index(name, at) for name in pair)
        assert set(names[first : first + 2]) == pair
    assert {name: job.seconds for name, job in zip(names, jobs, strict=True)} == {
        name: 2 if name in pair else 1 for name in NAMES
    }


async def test_what_a_window_left_to_do_is_charged_to_it(tmp_path: Path) -> None:
    """Spans that are exported after the last answer are its orders' price, but the warm-up's are
    not.
    """
    place = Nowhere(left={"gateway-0": 0.05}, pids={"gateway-0": os.getpid()})
    script, subject = Scripted(), Subject("ladder", place, "T7b")
    job = Job(
        doors=dict(place.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20,
        pids=dict(place.pids),
    )  # fmt: skip  # a job at a glance
    session = Session(script.generator)
    window = await session.measure(subject, job)
    share = MEASURED / (WARM + MEASURED)
    assert window.cpu_s == {"gateway-0": pytest.approx(0.08 + 0.05 * share)}
    assert (window.experiment, window.rung, window.served) == ("ladder", "T7b", MEASURED)
    assert session.served == {"ladder": {"order": WARM + MEASURED}}
    assert place.rungs == ["T7b"]


async def test_what_a_place_tells_of_processes_elsewhere_is_charged_to_its_requests(
    tmp_path: Path,
) -> None:
    """Where no clock can be read from here the warm-up is in what is told, and is taken off."""
    place = Nowhere(left={"payments-0": 0.1})
    job = Job(doors=dict(place.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20)
    window = await Session(Scripted().generator).measure(Subject("a", place), job)
    assert window.cpu_s == {"payments-0": pytest.approx(0.1 * MEASURED / (WARM + MEASURED))}
    assert window.rss_mib == window.pss_mib == {}


def test_the_rate_leaves_room_of_what_the_core_gives() -> None:
    """No shape is measured beyond its knee, which comes earlier where others use the core too; and
    a window has some orders on any machine.
    """
    assert affordable_rate(0.002, 1.0, 2) == pytest.approx(150)
    assert affordable_rate(0.025, 1.0, 2) == pytest.approx(0.3 / 0.025)
    assert affordable_rate(0.025, 0.5, 2) == pytest.approx(0.15 / 0.025)
    assert affordable_rate(0.5, 0.1, 0.8) == pytest.approx(2.5)


def test_a_share_of_the_core_is_what_a_busy_process_gets_of_it() -> None:
    """Tried on the core of the subjects; afterwards the runner may use every core it could."""
    before = os.sched_getaffinity(0)
    assert 0 < Placement.here().share(0.05) <= 1.001
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("failing", "tries"), [(0, 1), (2, 3), (9, 3)])
async def test_first_orders_that_fail_are_tried_again(
    failing: int, tries: int, tmp_path: Path
) -> None:
    """For a first order nothing is ready yet, and on a busy machine it may miss its deadline. Where
    a process gets a quarter of the core, they come at a quarter of the rate.
    """
    script = Scripted(failing=failing)
    window = await first_orders(
        Subject("a", Nowhere()), Session(script.generator), tmp_path / "x", 0.25, "orders"
    )

    assert len(script.jobs) == tries
    assert (window.served == window.offered) is (failing < tries)
    assert {job.rate for job in script.jobs} == {5}
    assert {round(job.seconds, 6) for job in script.jobs} == {2.8}


async def test_what_others_used_of_the_core_is_all_but_the_subject(tmp_path: Path) -> None:
    """A core that was busy for 0.3 s, of which the subject's process used 0.08."""
    place, script = Nowhere(pids={"gateway-0": os.getpid()}), Scripted(core_busy_s=0.3)
    job = Job(
        doors=dict(place.doors), workload="orders", out=tmp_path / "x", seconds=1, rate=20,
        pids=dict(place.pids),
    )  # fmt: skip  # a job at a glance
    window = await Session(script.generator).measure(Subject("a", place), job)
    assert window.others_s == pytest.approx(0.22)


def test_where_there_is_one_core_nothing_is_pinned_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A generator that shares its core with what it measures is told of, not hidden."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    alone = Placement.here()
    assert (alone.subjects, alone.generator) == (None, None)
    assert "nothing was pinned" in alone.sentence
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})
    assert Placement.here() == Placement(subjects=3, generator=5)
