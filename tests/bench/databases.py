"""The databases of a side: SQLite files, or a PostgreSQL server of its own, with its CPU time."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

from bench.harness import BenchFailed
from borough_bill.targets.attribution import ProcessGone, cpu_seconds
from postgresql import ABSENT, Cluster, find_binaries, running

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
KINDS = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class Database:
    """The store of a side, and the process id of its server: SQLite has none, its work is that of
    the parts. `copy` makes another database of that name with the same content,
    while no process uses this one.
    """

    url: str
    server: int | None
    copy: Callable[[str], "Database"]

    def cpu_s(self) -> float:
        """CPU seconds the server used so far."""
        return 0.0 if self.server is None else tree_cpu_s(self.server)


@contextmanager
def database(kind: str) -> Iterator[Database]:
    """An empty one. Raises BenchFailed where there is no PostgreSQL."""
    if kind == SQLITE:
        with tempfile.TemporaryDirectory(
            prefix="borough-bench-store-", ignore_cleanup_errors=True
        ) as folder:
            yield _sqlite(Path(folder, "data"))
        return
    binaries = find_binaries()
    if binaries is None:
        raise BenchFailed(ABSENT)
    with running(binaries, durable=True) as server:
        yield _postgresql(server, "shop", server.create("shop"))


def _sqlite(folder: Path) -> Database:
    folder.mkdir(exist_ok=True)

    def copy(name: str) -> Database:
        other = folder.with_name(name)
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(folder, other)
        return _sqlite(other)

    return Database(f"sqlite:///{folder}", None, copy)


def _postgresql(server: Cluster, name: str, url: str) -> Database:
    def copy(other: str) -> Database:
        with suppress(AssertionError):  # there was none
            server.drop(other)
        return _postgresql(server, other, server.create(other, template=name))

    return Database(url, server.pid, copy)


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process, of its children, and of those that have ended (these in steps of a
    hundredth of a second).
    """
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    # after the name in parentheses: field 3 of proc(5); cutime and cstime are its 16 and 17
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    ended = sum(map(int, fields[13:15])) / sysconf("SC_CLK_TCK")
    alive = 0.0
    for child in children:
        with suppress(ProcessGone):
            alive += cpu_seconds(int(child))
    return cpu_seconds(pid) + alive + ended
