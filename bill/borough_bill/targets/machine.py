"""The machine, packages and code of a measurement, without which its figures mean little; and the
cores of a run: everything measured is pinned to one, the rest to another.

Every shape thus has the same CPU; otherwise the shape with most processes would have most cores.
"""

import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Self

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


@dataclass(frozen=True, slots=True)
class Placement:
    """The core of the subjects, and that of the generator and the runner; None for any core."""

    subjects: int | None
    generator: int | None

    @classmethod
    def here(cls) -> Self:
        """The first and the second core that this process may use; None if there are not two."""
        if not hasattr(os, "sched_getaffinity"):  # only Linux lets a process choose
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)

    @property
    def sentence(self) -> str:
        """A sentence for the report."""
        if self.subjects is None:
            return "nothing was pinned: there was no second core, or no way to choose one"
        return (
            f"all processes of every subject on core {self.subjects}; generator, collector and "
            f"runner on core {self.generator}"
        )

    def runner_pinned(self) -> AbstractContextManager[None]:
        """Pin this process, and what it starts meanwhile, to the generator's core."""
        return _pinned(self.generator)

    def core_share(self, seconds: float) -> float:
        """The share of the subjects' core that a busy process gets, measured for some seconds: 1 on
        an idle machine, a half beside another busy process.
        """
        with _pinned(self.subjects):
            began, used = time.monotonic(), time.thread_time()
            while (passed := time.monotonic() - began) < seconds:
                pass
            return (time.thread_time() - used) / passed


@contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


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
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text("utf-8")
        if found := re.search(r"^model name\s*: (.+)$", text, re.MULTILINE):
            return found[1].strip()
    return platform.machine()
