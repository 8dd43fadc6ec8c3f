"""Does an interrupted run go on where it stopped, and refuse what is not its own?"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import PLAN, Folder, WrongFolder
from borough_bill.experiments.run import Run
from borough_bill.experiments.scale import DEMO, FULL
from borough_bill.results import BrokenResult
from borough_bill.targets.machine import commit
from borough_bill.testing import (
    MEASURED,
    NAMES,
    WARM,
    Scripted,
    intent,
    planned_only,
    subjects,
)

CUT_AT = len(NAMES) + 2
"""In the middle of the second block."""


async def cut_through(folder: Folder) -> None:
    """A run that was interrupted."""
    folder.clear()
    folder.begin(intent())
    with pytest.raises(asyncio.CancelledError):
        await measure(folder, Scripted(interrupted_at=CUT_AT))


async def measure(folder: Folder, script: Scripted) -> None:
    """Measure what is missing."""
    wanted = intent()
    await Session(script.generator).blocks(
        folder, wanted, subjects(), lambda *_: None, planned_only(wanted)
    )


async def test_only_what_is_missing_is_measured_and_a_block_is_never_patched(
    tmp_path: Path,
) -> None:
    """What is compared was measured together: of a block that was cut through nothing is kept."""
    folder = Folder(tmp_path / "run")
    await cut_through(folder)
    assert folder.unfinished
    assert len(folder.windows()) == CUT_AT

    assert folder.keep_whole_blocks(NAMES) == 1
    script = Scripted()
    await measure(folder, script)
    assert [job.out.name[:3] for job in script.jobs] == ["001"] * 4 + ["002"] * 4
    assert len(folder.windows()) == 3 * len(NAMES)


async def test_a_broken_window_is_refused_by_its_name(tmp_path: Path) -> None:
    """Nobody computes a bill from what a full disk left."""
    folder = Folder(tmp_path / "run")
    await cut_through(folder)
    path = tmp_path / "run" / "windows" / "000-apis.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(BrokenResult, match=r"windows/000-apis\.json: is no window"):
        folder.windows()


async def test_a_run_with_other_options_is_not_gone_on_with(tmp_path: Path) -> None:
    """The sentence names what differs; nothing that was measured is lost but on demand."""
    folder = Folder(tmp_path / "run")
    await cut_through(folder)
    with pytest.raises(WrongFolder, match="unfinished run with kind preliminary, not full"):
        Run(folder, FULL, lambda *_: None)
    with pytest.raises(WrongFolder, match="unfinished run with blocks 3, not 10"):
        Run(folder, replace(DEMO, shapes=NAMES[2:], ladder=True), lambda *_: None)
    with pytest.raises(WrongFolder, match="unfinished run with a ladder: True, not False"):
        Run(folder, replace(DEMO, shapes=NAMES[2:]), lambda *_: None)
    assert len(folder.windows()) == CUT_AT

    Run(folder, DEMO, lambda *_: None, fresh=True)
    assert not folder.unfinished
    assert folder.windows() == ()


async def test_a_broken_plan_is_refused_by_its_name(tmp_path: Path) -> None:
    """A plan that cannot be read is not silently replaced."""
    folder = Folder(tmp_path / "run")
    await cut_through(folder)
    plan = json.loads((tmp_path / "run" / PLAN).read_text())
    del plan["seed"]
    (tmp_path / "run" / PLAN).write_text(json.dumps(plan))
    with pytest.raises(BrokenResult, match=r"plan\.json: is no intent: Field required"):
        Run(folder, DEMO, lambda *_: None)


async def test_a_run_whose_stores_are_gone_is_not_gone_on_with(tmp_path: Path) -> None:
    """Nobody could audit the orders of the windows that are there."""
    folder = Folder(tmp_path / "run")
    await cut_through(folder)
    scale = replace(DEMO, shapes=NAMES[2:], blocks=3, seconds=1, warm_up_s=0.2, ladder=True)
    here = intent().model_copy(update={"commit": commit()})
    folder.begin(here)
    with pytest.raises(WrongFolder, match="the stores of their orders are gone"):
        Run(folder, scale, lambda *_: None)

    folder.towns.mkdir()
    Run(folder, scale, lambda *_: None)


async def test_orders_of_earlier_sessions_are_counted_too(tmp_path: Path) -> None:
    """The auditor's books must hold what customers were told before somebody pressed Ctrl-C."""
    folder, heard, script = Folder(tmp_path / "run"), dict[str, Mapping[str, int]](), Scripted()
    folder.clear()
    folder.begin(intent())
    session = Session(script.generator, served={"apis": {"order": 7}}, keep=heard.update)
    wanted = intent()
    await session.blocks(folder, wanted, subjects(), lambda *_: None, planned_only(wanted))
    assert heard["apis"] == {"order": 7 + 3 * (WARM + MEASURED)}


def test_a_new_run_removes_what_a_run_made_and_nothing_else(tmp_path: Path) -> None:
    """Somebody's notes beside an earlier run stay."""
    folder = Folder(tmp_path / "run")
    folder.clear()
    folder.begin(intent())
    notes = folder.path / "notes.txt"
    notes.write_text("what I saw")
    folder.clear()
    assert notes.read_text() == "what I saw"
    assert not folder.unfinished


def test_a_folder_of_windows_is_not_yet_a_run(tmp_path: Path) -> None:
    """Others have folders of that name, too."""
    (tmp_path / "windows").mkdir()
    (tmp_path / "windows" / "house.ifc").touch()
    with pytest.raises(WrongFolder, match="is not empty and holds no run"):
        Folder(tmp_path).clear()
    assert (tmp_path / "windows" / "house.ifc").exists()


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """What no run made is not removed to make room."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WrongFolder, match="is not empty and holds no run"):
        Run(Folder(tmp_path), DEMO, lambda *_: None)
    assert (tmp_path / "thesis.tex").exists()
