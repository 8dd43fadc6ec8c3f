"""Stores for tests: SQLite in a folder, and a PostgreSQL of our own, started for the session.

The cluster comes from Debian's package, lives in a temporary directory and listens on a socket
there, so nothing on the machine is touched. Where PostgreSQL is absent its tests are left out, and
the end of the run says which; CI leaves out nothing. POSTGRESQL_BIN names its binaries elsewhere.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from borough.kit.config import PREFIX
from borough.migrations import migrate
from programs import absent

CAPABILITIES = ("orders", "payments", "profiles", "inventory", "notifications")
ABSENT = "PostgreSQL is not installed: apt-get install postgresql"
LOG = "server.log"


def find_binaries() -> Path | None:
    """The folder of `initdb`: the one that was named, the newest of Debian's, or on the path."""
    if (named := os.environ.get("POSTGRESQL_BIN")) is not None:
        return Path(named) if (Path(named) / "initdb").exists() else None
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    on_path = shutil.which("initdb")
    best = found[-1] if found else Path(on_path).resolve() if on_path else None
    return None if best is None else best.parent


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL server in a folder of its own. Durable it is not: a power cut may have it."""

    binaries: Path
    folder: Path

    def start(self) -> None:
        """Create and start it."""
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        self._serve("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off -c max_connections=300"
        log = str(self.folder / LOG)
        self._serve("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._serve("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database and answer its URL."""
        self._run("createdb", *self._as_admin(), "-T", template, name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._run("dropdb", *self._as_admin(), "--force", name)

    def _as_admin(self) -> tuple[str, ...]:
        return ("-h", str(self.folder), "-U", "postgres")

    def _serve(self, program: str, *arguments: str) -> None:
        as_postgres = ("runuser", "-u", "postgres", "--") if os.getuid() == 0 else ()
        self._run(program, *arguments, before=as_postgres)

    def _run(self, program: str, *arguments: str, before: tuple[str, ...] = ()) -> None:
        words = [*before, str(self.binaries / program), *arguments]
        done = subprocess.run(  # noqa: S603  # our own words
            words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stdout.decode()}"


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_caller() -> Iterator[None]:
    """What the shell of whoever runs the tests happens to set reaches no part."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL, with `town`, a migrated database to copy from."""
    binaries = find_binaries()
    if binaries is None:
        absent(ABSENT)
    folder = Path(tempfile.mkdtemp(prefix="borough-pg-"))
    server = Cluster(binaries, folder)
    try:
        server.start()
        try:
            url = server.create("town")
            for capability in CAPABILITIES:
                migrate(url, capability)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


_numbers = itertools.count(1)


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    """A fresh PostgreSQL database, every capability migrated."""
    name = f"test_{next(_numbers)}"
    yield cluster.create(name, template="town")
    cluster.drop(name)


@pytest.fixture
def empty_postgresql_url(cluster: Cluster) -> Iterator[str]:
    """A fresh PostgreSQL database, and nothing in it."""
    name = f"test_{next(_numbers)}"
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def sqlite_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of migrated SQLite files to copy from."""
    folder = tmp_path_factory.mktemp("town")
    for capability in CAPABILITIES:
        migrate(f"sqlite:///{folder}", capability)
    return folder


@pytest.fixture
def sqlite_url(sqlite_town: Path, tmp_path: Path) -> str:
    """A fresh folder of SQLite files, every capability migrated."""
    shutil.copytree(sqlite_town, tmp_path / "store")
    return f"sqlite:///{tmp_path / 'store'}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A folder that is not there yet."""
    return f"sqlite:///{tmp_path / 'store'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh store for a whole shop, on each database: every capability is migrated."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest) -> str:
    """Where a store may be made, on each database: nothing is migrated."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and how to get it."""
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = [report.nodeid for report in skipped if ABSENT in str(report.longrepr)]
    if left_out:
        terminalreporter.section("left out")
        terminalreporter.line(f"{ABSENT}. These tests need it:")
        for nodeid in left_out:
            terminalreporter.line(f"  {nodeid}")
