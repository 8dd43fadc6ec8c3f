"""Is an interrupted run resumed where it stopped, and never with other options or files?"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bill.fakes import (
    MEASURED,
    SUBJECTS,
    WARM,
    FakeGenerator,
    intent,
    planned_only,
    subjects,
)
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import PLAN, Folder, WrongFolder
from borough_bill.experiments.run import Run
from borough_bill.experiments.scale import DEMO, FULL
from borough_bill.results import BrokenResult
from borough_bill.targets.machine import commit

CUT_AT = len(SUBJECTS) + 2
"""The number of a job in the middle of the second block."""


async def interrupted(folder: Folder) -> None:
    """Run until job CUT_AT, which is cancelled."""
    folder.clear()
    folder.begin(intent())
    with pytest.raises(asyncio.CancelledError):
        await measure(folder, FakeGenerator(interrupted_at=CUT_AT))


async def measure(folder: Folder, fake: FakeGenerator) -> None:
    """Measure the missing blocks."""
    wanted = intent()
    await Session(fake.generator).blocks(
        folder, wanted, subjects(), lambda *_: None, planned_only(wanted)
    )


async def test_resumed_run_measures_incomplete_blocks_anew(
    tmp_path: Path,
) -> None:
    """Windows of an incomplete block are dropped, since a block is measured in one go."""
    folder = Folder(tmp_path / "run")
    await interrupted(folder)
    assert folder.unfinished
    assert len(folder.windows()) == CUT_AT

    assert folder.keep_whole_blocks(SUBJECTS) == 1
    fake = FakeGenerator()
    await measure(folder, fake)
    assert [job.out.name[:3] for job in fake.jobs] == ["001"] * 4 + ["002"] * 4
    assert len(folder.windows()) == 3 * len(SUBJECTS)


async def test_broken_window_is_refused_by_name(tmp_path: Path) -> None:
    """As after a full disk."""
    folder = Folder(tmp_path / "run")
    await interrupted(folder)
    path = tmp_path / "run" / "windows" / "000-apis.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(BrokenResult, match=r"windows/000-apis\.json: is no window"):
        folder.windows()


async def test_run_is_not_resumed_with_other_options(tmp_path: Path) -> None:
    """The message names the difference; windows are removed only with --fresh."""
    folder = Folder(tmp_path / "run")
    await interrupted(folder)
    with pytest.raises(WrongFolder, match="unfinished run with kind preliminary, not full"):
        Run(folder, FULL, lambda *_: None)
    with pytest.raises(WrongFolder, match="unfinished run with blocks 3, not 10"):
        Run(folder, replace(DEMO, shapes=SUBJECTS[2:], ladder=True), lambda *_: None)
    with pytest.raises(WrongFolder, match="unfinished run with a ladder: True, not False"):
        Run(folder, replace(DEMO, shapes=SUBJECTS[2:]), lambda *_: None)
    assert len(folder.windows()) == CUT_AT

    Run(folder, DEMO, lambda *_: None, fresh=True)
    assert not folder.unfinished
    assert folder.windows() == ()


async def test_broken_plan_is_refused_by_name(tmp_path: Path) -> None:
    """It is not silently replaced."""
    folder = Folder(tmp_path / "run")
    await interrupted(folder)
    plan = json.loads((tmp_path / "run" / PLAN).read_text())
    del plan["seed"]
    (tmp_path / "run" / PLAN).write_text(json.dumps(plan))
    with pytest.raises(BrokenResult, match=r"plan\.json: is no intent: Field required"):
        Run(folder, DEMO, lambda *_: None)


async def test_run_without_its_stores_is_not_resumed(tmp_path: Path) -> None:
    """The orders of its windows could not be audited."""
    folder = Folder(tmp_path / "run")
    await interrupted(folder)
    scale = replace(DEMO, shapes=SUBJECTS[2:], blocks=3, seconds=1, warm_up_s=0.2, ladder=True)
    here = intent().model_copy(update={"commit": commit()})
    folder.begin(here)
    with pytest.raises(WrongFolder, match="the stores of their orders are gone"):
        Run(folder, scale, lambda *_: None)

    folder.deployments.mkdir()
    Run(folder, scale, lambda *_: None)


async def test_orders_of_earlier_sessions_are_counted(tmp_path: Path) -> None:
    """The stores must hold the orders that were answered before the interruption."""
    folder, heard, script = (
        Folder(tmp_path / "run"),
        dict[str, Mapping[str, int]](),
        FakeGenerator(),
    )
    folder.clear()
    folder.begin(intent())
    session = Session(script.generator, served={SUBJECTS[2]: {"order": 7}}, on_served=heard.update)
    wanted = intent()
    await session.blocks(folder, wanted, subjects(), lambda *_: None, planned_only(wanted))
    assert heard[SUBJECTS[2]] == {"order": 7 + 3 * (WARM + MEASURED)}


def test_new_run_removes_only_files_of_a_run(tmp_path: Path) -> None:
    """Other files in the folder stay."""
    folder = Folder(tmp_path / "run")
    folder.clear()
    folder.begin(intent())
    notes = folder.path / "notes.txt"
    notes.write_text("what I saw")
    folder.clear()
    assert notes.read_text() == "what I saw"
    assert not folder.unfinished


def test_folder_named_windows_alone_is_no_run(tmp_path: Path) -> None:
    """Such a folder may have another purpose."""
    (tmp_path / "windows").mkdir()
    (tmp_path / "windows" / "house.ifc").touch()
    with pytest.raises(WrongFolder, match="is not empty and holds no run"):
        Folder(tmp_path).clear()
    assert (tmp_path / "windows" / "house.ifc").exists()


def test_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """Nothing in it is removed."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WrongFolder, match="is not empty and holds no run"):
        Run(Folder(tmp_path), DEMO, lambda *_: None)
    assert (tmp_path / "thesis.tex").exists()
