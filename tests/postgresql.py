"""A PostgreSQL of our own, for tests and for the bench, from the binaries of Debian's package.

It lives in a folder of its own and listens on a socket there, so nothing on the machine is touched.
POSTGRESQL_BIN names the binaries where they are elsewhere.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    """A PostgreSQL server in a folder of its own, with PostgreSQL's default settings.

    Unless it is `durable` it never waits for the disk, and a power cut may lose it.
    """

    binaries: Path
    folder: Path
    durable: bool = False

    def start(self) -> None:
        """Create and start it."""
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        self._serve("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -k {self.folder} -c max_connections=300"
        if not self.durable:
            options += " -c fsync=off"
        log = str(self.folder / LOG)
        self._serve("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._serve("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    @property
    def pid(self) -> int:
        """The process id of its first process, whose children are all the others."""
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database and answer its URL."""
        self._run("createdb", *self._as_admin(), "-T", template, name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def execute(self, name: str, *statements: str) -> None:
        """Carry out statements in a database, as its superuser."""
        commands = [word for statement in statements for word in ("-c", statement)]
        self._run("psql", *self._as_admin(), "-v", "ON_ERROR_STOP=1", "-d", name, *commands)

    def drop(self, name: str) -> None:
        """Remove a database, with its connections."""
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


@contextmanager
def running(binaries: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """A started server in a new folder, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="borough-pg-"))  # the server may be another user
    server = Cluster(binaries, folder, durable)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
