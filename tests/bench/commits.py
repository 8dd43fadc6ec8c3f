"""A commit of this repository, built beside the working tree: its files, and a venv by its lock."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.harness import ROOT, BenchFailed, Build

BUILT = ROOT / "build" / "beside"
TOOLS = ROOT / "build" / "tools" / "bin"
"""Where `make` puts uv."""


def build(commit: str, repository: Path = ROOT, folder: Path = BUILT) -> Build:
    """The build of a commit: made once for each commit and version of Python, and found again.

    Raises BenchFailed where there is no such commit, or where it cannot be built.
    """
    found = _run(["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], repository)
    if found is None:
        raise BenchFailed(f"--beside: there is no commit {commit} in {repository}")
    name = found.strip()[:12]
    place = folder / f"{name}-python{sys.version_info.major}.{sys.version_info.minor}"
    built = Build(name, place / "tree", str(place / "venv" / "bin" / "python"))
    complete = place / "complete"
    if not complete.exists():
        shutil.rmtree(place, ignore_errors=True)
        built.tree.mkdir(parents=True)
        _extract(name, repository, place)
        _install(built, place)
        complete.touch()
    return built


def _extract(commit: str, repository: Path, place: Path) -> None:
    archive = place / "tree.tar"
    _must(["git", "archive", "--format=tar", f"--output={archive}", commit], repository)
    with tarfile.open(archive) as packed:
        packed.extractall(place / "tree", filter="data")
    archive.unlink()


def _install(built: Build, place: Path) -> None:
    """By the commit's own lock, on the Python the bench runs on, and none of its tools."""
    uv = shutil.which("uv", path=TOOLS) or shutil.which("uv")
    if uv is None:
        raise BenchFailed("--beside needs uv, which `make bench` has in build/tools")
    base = str(Path(sys.base_prefix, "bin", f"python{sys.version_info.major}"))
    _must(
        [uv, "sync", "--locked", "--quiet", "--no-default-groups", "--python", base],
        built.tree,
        {
            "UV_PROJECT_ENVIRONMENT": str(place / "venv"),
            "UV_COMPILE_BYTECODE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        },
    )


def _must(words: Sequence[str], where: Path, settings: Mapping[str, str] | None = None) -> None:
    """Raises BenchFailed with what the command said."""
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(  # noqa: S603  # our own words
        words, cwd=where, env=environment | dict(settings or {}), capture_output=True, text=True,
        check=False,
    )  # fmt: skip  # the command on one line, as one would type it
    if done.returncode:
        raise BenchFailed(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")


def _run(words: Sequence[str], where: Path) -> str | None:
    """What it printed; None where it failed."""
    done = subprocess.run(words, cwd=where, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    return done.stdout if done.returncode == 0 else None
