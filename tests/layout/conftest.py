"""What the laws of the house are read from: the checkout itself.

Short because pytest looks for fixtures in a file of this name.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    *("telemetry", "kit", "services", "operator", "bill", "charts", "dashboards", "examples"),
    "tests",
)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def rooms() -> tuple[Path, ...]:
    """The folders that hold code."""
    return tuple(ROOT / name for name in ROOMS)


@pytest.fixture(scope="session")
def sources(rooms: tuple[Path, ...]) -> tuple[Path, ...]:
    """Every Python file of the house."""
    return tuple(sorted(path for room in rooms for path in room.rglob("*.py")))


@pytest.fixture(scope="session")
def business(root: Path) -> tuple[Path, ...]:
    """The Python files of the kit and of the shop."""
    packages = (root / "kit" / "borough", root / "services" / "borough_shop")
    return tuple(sorted(path for package in packages for path in package.rglob("*.py")))
