"""Does a part load only the database driver it uses?

A driver costs memory and time at the start, and an image without PostgreSQL must still run. A file
of its own because it asks an interpreter of its own.
"""

import subprocess
import sys


def loaded_by(program: str) -> set[str]:
    """The top-level modules a fresh interpreter holds after running this."""
    listing = "\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-c", program + listing], stdout=subprocess.PIPE, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_whole_system_loads_no_driver() -> None:
    """The composition root reaches every store; a driver comes with the first connection."""
    loaded = loaded_by("import borough.compose, borough_shop.app")

    assert "sqlalchemy" in loaded
    assert loaded.isdisjoint({"sqlite3", "asyncpg"})


def test_a_driver_that_is_loaded_is_found() -> None:
    """The check looks into the right interpreter."""
    assert "asyncpg" in loaded_by("import asyncpg")
