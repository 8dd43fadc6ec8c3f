"""The machine, packages and code of a measurement, without which its figures mean little."""

import hashlib
import os
import platform
import subprocess
from functools import partial
from importlib import metadata
from pathlib import Path

from borough_bill.results import Machine

PACKAGES = (
    "aiohttp", "aiosqlite", "borough", "fastapi", "httptools", "opentelemetry-sdk",
    "prometheus-client", "pydantic", "sqlalchemy", "starlette", "uvicorn", "uvloop",
)  # fmt: skip  # a list
"""Packages on the path of a request; others do not change a figure."""
HERE = Path(__file__).parent
CODE = (":/telemetry", ":/kit", ":/services", ":/bill", ":/tests/bench", ":/uv.lock")
"""The measured code: a changed document or folder of a run is no change of it."""
UNKNOWN, DIRTY = "unknown", "-dirty"
GIB = 2**30


def machine() -> Machine:
    """This machine, its kernel, its Python, and the packages on the path of a request."""
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: _version(name) for name in PACKAGES},
    )


def commit(folder: Path = HERE) -> str:
    """The commit of the repository of this folder, or `unknown`; if the code differs from it, with
    `-dirty-` and a digest of the difference, so that different code has different names.
    """
    git = partial(_git, folder)
    name = git("rev-parse", "--short=12", "HEAD")
    if name is None:
        return UNKNOWN
    changes = git("diff", "HEAD", "--", *CODE) or ""
    new = (git("ls-files", "--others", "--exclude-standard", "--", *CODE) or "").splitlines()
    if not changes and not new:
        return name
    digest = hashlib.sha256(changes.encode())
    for path in new:
        digest.update(path.encode() + (folder / path).read_bytes())
    return f"{name}{DIRTY}-{digest.hexdigest()[:8]}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # constant arguments
            ["git", *arguments],  # noqa: S607  # the git on PATH
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip  # the command on one line, as it is typed
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return UNKNOWN


def _cpu_model() -> str:
    """Linux's name of it; the architecture on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
