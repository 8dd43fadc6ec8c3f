"""Is a result read as it was written, and refused when it is broken?"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from borough_bill.results import SKETCH, BrokenResult, Result, Summary, Window, read, write


def test_result_is_read_as_it_was_written(measured: Result, tmp_path: Path) -> None:
    """Every number is equal, and no other file is left."""
    path = tmp_path / "result.json"
    write(measured, path)

    assert read(path) == measured
    assert list(tmp_path.iterdir()) == [path]


def test_result_of_version_1_is_read(measured: Result, tmp_path: Path) -> None:
    """Fields that it lacks have their defaults."""
    path = tmp_path / "result.json"
    found = json.loads(measured.model_dump_json())
    found["version"] = 1
    for name in ("took_s", "stopped"):
        del found[name]
    for name in ("most", "measuring_s", "ladder"):
        del found["plan"][name]
    for window in found["windows"]:
        del window["others_s"]
    path.write_text(json.dumps(found))

    assert read(path) == measured.model_copy(update={"version": 1})


def test_failed_write_leaves_the_old_result(
    measured: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced only when the new one is complete."""
    path = tmp_path / "result.json"
    path.write_text("the old one")

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write(measured, path)

    assert path.read_text() == "the old one"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"version": 1, "kind": "full", "win', "cannot be read as JSON"),
        ("[1, 2]", "is not a result of borough-bill"),
        ('{"version": 1, "shape": "monolith"}', "is not a result of borough-bill"),
        ('{"version": 3, "kind": "full", "windows": []}', "has version 3, .* reads 2"),
        ('{"version": 1, "kind": "full", "windows": []}', "created: Field required"),
    ],
)
def test_broken_file_is_refused_by_name(text: str, why: str, tmp_path: Path) -> None:
    """The message has the file and the reason: cut off, foreign, too new or incomplete."""
    path = tmp_path / "result.json"
    path.write_text(text)

    with pytest.raises(BrokenResult, match=rf"result\.json: .*{why}"):
        read(path)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    """The message has the path."""
    with pytest.raises(BrokenResult, match=r"nowhere\.json: cannot be read"):
        read(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"served": 5}, "block 0, shapes, monolith: served, failed and wrong do not add up"),
        ({"seconds": 0}, r"windows\.0\.seconds"),
        ({"rung": "T3"}, "a window of the ladder has a rung, and no other has"),
        ({"subject": "stranger"}, "block 0, shapes, stranger: the plan has no such subject"),
        ({"cpu_s": {"app-0": -1}}, r"windows\.0\.cpu_s\.app-0"),
        ({"latency": None}, "requests were served, but it has no times"),
        ({"mood": "good"}, r"windows\.0\.mood"),
    ],
)
def test_inconsistent_window_is_refused(
    change: dict[str, Any], why: str, measured: Result, tmp_path: Path
) -> None:
    """The message names the window or the field."""
    found = json.loads(measured.model_dump_json())
    found["windows"][0] |= change
    path = tmp_path / "result.json"
    path.write_text(json.dumps(found))

    with pytest.raises(BrokenResult, match=why):
        read(path)


def test_repeated_window_is_refused(measured: Result, tmp_path: Path) -> None:
    """Otherwise it would count twice."""
    path = tmp_path / "result.json"
    write(measured.model_copy(update={"windows": (*measured.windows, measured.windows[3])}), path)

    with pytest.raises(BrokenResult, match="two windows of block 0, shapes, extract-payments"):
        read(path)


def test_times_are_summarised_in_milliseconds() -> None:
    """The quantiles of 0, 1, ... 1000 ms are known."""
    found = Summary.of(np.arange(1001) / 1000, sketch=True)

    assert (found.mean, found.p50, found.p90, found.p99, found.max) == (500, 500, 900, 990, 1000)
    assert len(found.sketch) == SKETCH
    assert found.sketch[0] == pytest.approx(2.5)
    with pytest.raises(ValueError, match="no times"):
        Summary.of(np.array([]))


def test_sketch_with_another_length_is_refused() -> None:
    """A pool gives each point of a sketch the same weight."""
    whole = Summary.of(np.ones(3), sketch=True).model_dump()
    with pytest.raises(ValidationError, match="a sketch has 200 quantiles, this one 3"):
        Summary.model_validate(whole | {"sketch": (1.0, 2.0, 3.0)})


def test_idle_window_needs_no_times() -> None:
    """No request was sent."""
    assert Window(block=0, experiment="idle", subject="monolith", seconds=1).offered == 0
