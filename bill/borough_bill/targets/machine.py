"""Where and with what a figure was measured: without it, a figure says nothing to anybody else."""

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
)  # fmt: skip  # a list to be read, not a column
"""What lies on the path of a request; other packages do not change a figure."""
HERE = Path(__file__).parent
CODE = (":/telemetry", ":/kit", ":/services", ":/bill", ":/tests/bench", ":/uv.lock")
"""What a figure is a figure of: neither a document nor the folder of a run changes it."""
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
    """The commit of the code that this folder is of, or `unknown`; where the code differs from it,
    `-dirty-` and a digest of the difference follow: two different trees never have one name.
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


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            ["git", *words],  # noqa: S607  # whichever git the user has
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip  # the command on one line, as one would type it
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return UNKNOWN


def _cpu_model() -> str:
    """As Linux names it; the architecture where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
