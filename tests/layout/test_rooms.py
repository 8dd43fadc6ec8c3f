"""Do the folders stay folders, and does each file that is short or long say why?

`operator` is a module of the standard library: were a room a package, putting the checkout on
`sys.path` could keep Python from starting.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

SHORT, LONG = 40, 500
"""Lines of a file; below and above, its docstring says why it is so."""
EXEMPT = {"__init__.py", "__main__.py", "signals.py", "laws.py"}


def unexplained(files: Iterable[Path]) -> dict[str, int]:
    """The files that hold half of a thought, or several, and do not say `because`, with their
    lines. Revisions of a schema are as long as they are.
    """
    found = {}
    for path in files:
        text = path.read_text()
        lines = len(text.splitlines())
        if SHORT <= lines <= LONG or path.name in EXEMPT or "migrations" in path.parent.parts:
            continue
        if "because" not in (ast.get_docstring(ast.parse(text)) or "").split():
            found[str(path)] = lines
    return found


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


def test_short_or_long_file_says_why(sources: tuple[Path, ...]) -> None:
    """A file is one question with its answer."""
    assert unexplained(sources) == {}


def test_file_without_a_reason_for_its_size_is_found(tmp_path: Path) -> None:
    """A line too few or too many; a reason, an exempt name and a revision are let through."""

    def file(name: str, lines: int, docstring: str = "What it is.") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'"""{docstring}"""\n' + "pass\n" * (lines - 1))
        return path

    files = (
        file("short.py", SHORT - 1),
        file("long.py", LONG + 1),
        file("fits.py", SHORT),
        file("fits_too.py", LONG),
        file("says.py", 1, "Short because there is no more to say."),
        file("laws.py", 1),
        file("migrations/a_0001.py", 1),
    )
    assert unexplained(files) == {str(files[0]): SHORT - 1, str(files[1]): LONG + 1}
