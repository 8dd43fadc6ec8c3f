"""Programs and servers that some tests need: left out where they are absent, but not by CI."""

import os
import shutil
from typing import NoReturn

import pytest


def absent(why: str) -> NoReturn:
    """Leave the test out, for this reason; CI leaves out nothing, and fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def program(name: str, why: str, path: str | None = None) -> str:
    """Where a program is, on the path of the environment or another; `why` there is none."""
    return shutil.which(name, path=path) or absent(why)
