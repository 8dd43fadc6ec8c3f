"""Do the folders stay folders, and the files small enough to be read in one sitting?

`operator` is a module of the standard library: were a room a package, putting the checkout on
`sys.path` could keep Python from starting.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

SOFT_CAP, HARD_CAP = 300, 400


def packages(rooms: Iterable[Path]) -> list[Path]:
    """Rooms, and folders under tests/, that pretend to be packages."""
    folders = [
        f for room in rooms for f in ((room, *_below(room)) if room.name == "tests" else (room,))
    ]
    return [marker for folder in folders if (marker := folder / "__init__.py").exists()]


def _below(room: Path) -> list[Path]:
    return [path for path in room.rglob("*") if path.is_dir()]


def longer_than(lines: int, files: Iterable[Path]) -> dict[str, int]:
    """Files with more lines than that."""
    counted = {str(path): len(path.read_text().splitlines()) for path in files}
    return {path: count for path, count in counted.items() if count > lines}


def test_no_room_is_a_package(rooms: tuple[Path, ...]) -> None:
    """A room is a folder; importable names live inside it."""
    assert packages(rooms) == []


def test_a_room_that_becomes_a_package_is_found(tmp_path: Path) -> None:
    """The check sees a marker in a room and in any folder under tests/, but not inside a room."""
    planted = [
        tmp_path / "operator",
        tmp_path / "tests" / "unit",
        tmp_path / "bill" / "borough_bill",
    ]
    for folder in planted:
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()

    found = packages([tmp_path / "operator", tmp_path / "tests", tmp_path / "bill"])

    assert found == [folder / "__init__.py" for folder in planted[:2]]


def test_no_folder_of_tests_is_named_operator(root: Path) -> None:
    """`tests/operator` with a marker would replace the standard library's module."""
    assert not (root / "tests" / "operator").exists()


def test_no_file_is_too_long_to_be_read(
    sources: tuple[Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Past the soft cap a file is named, past the hard cap it fails."""
    with capsys.disabled():
        for path, lines in longer_than(SOFT_CAP, sources).items():
            print(f"\n{path} has {lines} lines: time to find its seam", end="")  # noqa: T201  # the warning
    assert longer_than(HARD_CAP, sources) == {}


def test_a_file_that_is_too_long_is_found(tmp_path: Path) -> None:
    """The cap itself is allowed, one line more is not."""
    fits, bursts = tmp_path / "fits.py", tmp_path / "bursts.py"
    fits.write_text("pass\n" * HARD_CAP)
    bursts.write_text("pass\n" * (HARD_CAP + 1))

    assert longer_than(HARD_CAP, [fits, bursts]) == {str(bursts): HARD_CAP + 1}
