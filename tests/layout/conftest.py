"""What the laws of the house are read from: the checkout itself."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("services", "operator", "bill", "charts", "dashboards", "tests")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def rooms() -> tuple[Path, ...]:
    """The rooms that stand already; the operator comes later."""
    return tuple(room for name in ROOMS if (room := ROOT / name).is_dir())


@pytest.fixture(scope="session")
def sources(rooms: tuple[Path, ...]) -> tuple[Path, ...]:
    """Every Python file of the house."""
    return tuple(sorted(path for room in rooms for path in room.rglob("*.py")))


@pytest.fixture(scope="session")
def business(root: Path) -> tuple[Path, ...]:
    """The Python files of the distribution `borough`."""
    return tuple(sorted((root / "services" / "borough").rglob("*.py")))
