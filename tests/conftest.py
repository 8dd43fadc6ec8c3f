"""Stores for tests: SQLite in a folder, and a PostgreSQL of our own, started for the session.

Where PostgreSQL is absent its tests are left out, and the end of the run says which; CI leaves out
nothing. What a file of tests leaves open is found at the end of that file.
"""

import gc
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from borough.config import PREFIX
from borough.stores.migrations import migrate
from borough_shop.app import APP
from postgresql import ABSENT, Cluster, find_binaries, running
from programs import absent

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
"""Hypothesis fails an example that takes 0.2 s, which any example does on a busy machine."""

CAPABILITIES = tuple(APP.contracts)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_caller() -> Iterator[None]:
    """No part reads what the shell that runs the tests has set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            patch.delenv(name)
        yield


def pytest_collection_finish() -> None:
    """What was imported lives to the end, and is no garbage that a collection must look through."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _leak_fails_the_file_that_left_it() -> Iterator[None]:
    """A socket or file that is dropped open warns when it is collected, and a warning is an error:
    without this in whichever test the collector next runs.
    """
    yield
    gc.collect()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL, with `migrated`, a database to copy from."""
    binaries = find_binaries()
    if binaries is None:
        absent(ABSENT)
    with running(binaries) as server:
        url = server.create("migrated")
        for capability in CAPABILITIES:
            migrate(url, capability, APP.definitions[capability].migrations)
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    """A fresh PostgreSQL database, every capability migrated."""
    name = f"test_{next(_numbers)}"
    yield cluster.create(name, template="migrated")
    cluster.drop(name)


@pytest.fixture
def empty_postgresql_url(cluster: Cluster) -> Iterator[str]:
    """A fresh PostgreSQL database, and nothing in it."""
    name = f"test_{next(_numbers)}"
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of migrated SQLite files to copy from."""
    folder = tmp_path_factory.mktemp("migrated")
    for capability in CAPABILITIES:
        migrate(f"sqlite:///{folder}", capability, APP.definitions[capability].migrations)
    return folder


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh folder of SQLite files, every capability migrated."""
    shutil.copytree(migrated_sqlite, tmp_path / "store")
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
