"""Do the folders stay folders?

`operator` is a module of the standard library: were a room a package, putting the checkout on
`sys.path` could keep Python from starting.
"""

from collections.abc import Iterable
from pathlib import Path


def packages(rooms: Iterable[Path]) -> list[Path]:
    """Rooms, and folders under tests/, that pretend to be packages."""
    folders = [
        f for room in rooms for f in ((room, *_below(room)) if room.name == "tests" else (room,))
    ]
    return [marker for folder in folders if (marker := folder / "__init__.py").exists()]


def _below(room: Path) -> list[Path]:
    return [path for path in room.rglob("*") if path.is_dir()]


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
