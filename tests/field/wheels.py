"""Wheels of this tree, and environments that hold nothing but what a test puts there.

None of the distributions is published. What they build upon comes from the package index, or from
uv's cache.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from programs import program

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "build" / "tools" / "bin"
ALONE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "VIRTUAL_ENV", "UV_PROJECT", "MAKE", "MFLAGS"))
}
"""The environment variables of a new user: none of ours is a path of Python."""


def run(command: Sequence[str | Path], said: str = "", **changes: str) -> str:
    """What a command wrote to standard output, having read `said`. Raises AssertionError."""
    done = subprocess.run(  # noqa: S603  # our own words
        command,
        cwd=ROOT,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        env=ALONE | changes,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def built(folder: Path) -> dict[str, Path]:
    """The wheel of every distribution, by the folder of its source, made by `make wheels`."""
    made = folder / "wheels"
    run(["make", "wheels", f"WHEELS={made}", f"PYTHON={sys.executable}"])
    names = {"telemetry": "borough_telemetry", "kit": "borough", "services": "borough_shop"}
    names |= {"operator": "borough_operator", "bill": "borough_bill"}
    wheels = {wheel.name.partition("-")[0]: wheel for wheel in made.glob("*.whl")}
    assert wheels.keys() == set(names.values())
    return {source: wheels[name] for source, name in names.items()}


def uv(*arguments: str | Path, said: str = "") -> str:
    """Run the uv that set this tree up. Raises AssertionError."""
    why = "uv is not in build/tools: make wheels"
    return run([program("uv", why, str(TOOLS)), *arguments], said)


class Environment:
    """A virtual environment of this Python, empty at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        uv("venv", "--quiet", "--python", sys.executable, folder)

    def install(self, *what: str | Path) -> None:
        """Install requirements and wheels, with options of `uv pip install`."""
        uv("pip", "install", "--quiet", "--python", self.python, *what)

    def installed(self) -> dict[str, str]:
        """The version of each package that is there, by name."""
        listed = uv("pip", "list", "--quiet", "--python", self.python, "--format", "json")
        return {package["name"]: package["version"] for package in json.loads(listed)}
