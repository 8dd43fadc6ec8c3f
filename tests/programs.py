"""Foreign programs that tests need: which tier may need which, and what an absent one means.

A folder is a tier. `make test` runs all of tests/ but `field` and `e2e`, and asks for no program
but those in FOUND, and PostgreSQL. Whatever else needs one belongs in tests/field. Where a program
is absent its tests are left out, with the command that installs it; in CI that is a failure. A file
of its own because tests of several folders ask it.
"""

import os
import shutil
from typing import NoReturn

import pytest

FOUND = frozenset({"helm", "helm4", "kubectl", "promtool"})
"""What `make test` uses where it is there. None of these is a server, and none takes seconds."""
OTHER_TIERS = ("tests/field/", "tests/e2e/")


def absent(why: str) -> NoReturn:
    """Leave the test out, for this reason; CI leaves out nothing, and fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def program(name: str, why: str, path: str | None = None) -> str:
    """Where a program is, on the path of the environment or another; `why` there is none.

    Fails a test of `make test` that asks for a program outside FOUND.
    """
    asks = os.environ.get("PYTEST_CURRENT_TEST", "")
    if asks and name not in FOUND and not asks.startswith(OTHER_TIERS):
        pytest.fail(f"{name} is no program of `make test`: its tests belong in tests/field")
    return shutil.which(name, path=path) or absent(why)
