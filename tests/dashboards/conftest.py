"""The boards as they are committed, and as the code builds them now.

Short because pytest looks for fixtures in a file of this name.
"""

import json
from pathlib import Path
from typing import Any

import pytest

ROOM = Path(__file__).parents[2] / "dashboards"
FILES = tuple(sorted(ROOM.glob("*.json")))

Board = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `board` runs for every one."""
    if "board" in metafunc.fixturenames:
        metafunc.parametrize("board", FILES, ids=lambda path: path.stem, indirect=True)


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> Board:
    """One of the committed files."""
    path: Path = request.param
    content: Board = json.loads(path.read_text("utf-8"))
    return content


@pytest.fixture(scope="session")
def committed() -> tuple[Path, ...]:
    """The committed files."""
    return FILES
