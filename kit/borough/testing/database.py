"""Stores in memory, for tests.

A store is that of production, over SQLite in memory, or one that the capability defines. Before and
after each of its effects, such as a transaction, there is a checkpoint.
"""

import sqlite3
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import StaticPool, create_engine

from borough.app import App, Definition
from borough.compose import open_store
from borough.stores.migrations import upgrade
from borough.stores.sql import Database
from borough.stores.sqlite import Busy, Job, Sqlite, Writer
from borough.stores.statements import Result, Statement
from borough.testing.memory import Checkpoint, turn
from borough.testing.outbox import MemoryOutbox


class MemoryStores(dict[str, Any]):
    """An empty store for every capability, by name; `given` replace those that would be made."""

    def __init__(self, app: App, given: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(given)
        self._app = app
        self._databases: dict[str, MemoryDatabase] = {}
        for definition in app.capabilities:
            name = definition.name
            if name in given:
                continue
            if definition.memory is None:
                self._databases[name] = MemoryDatabase(name, definition.migrations)
                self[name] = open_store(app, definition, self._databases[name])
            elif definition.publishes:
                self[name] = definition.memory(MemoryOutbox(app.routes(definition)))
            else:
                self[name] = definition.memory()

    def through(self, definition: Definition, checkpoint: Checkpoint) -> Any:
        """A store with another checkpoint: the same rows, as another process sees them."""
        if definition.name not in self._databases:
            return self[definition.name].through(checkpoint)
        database = self._databases[definition.name].through(checkpoint)
        return open_store(self._app, definition, database)


class MemoryDatabase(Database):
    """A database in memory, migrated by the revisions in `folder`."""

    def __init__(self, capability: str, folder: Path) -> None:
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False, factory=_Connection
        )
        self._connection.deserialize(_migrated(capability, folder))
        super().__init__(capability, _InMemory(capability, self._connection, turn))

    def through(self, checkpoint: Checkpoint) -> Database:
        """The same rows with another checkpoint."""
        return Database(self.capability, _InMemory(self.capability, self._connection, checkpoint))


@cache
def _migrated(capability: str, folder: Path) -> bytes:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        upgrade(connection, capability, folder)
    with engine.connect() as connection:
        content: bytes = connection.connection.driver_connection.serialize()  # type: ignore[union-attr]  # of sqlite3
    engine.dispose()
    return content


class _Connection(sqlite3.Connection):
    def __del__(self) -> None:
        self.close()


class _InMemory(Sqlite):
    """Everything runs on the event loop, one job after the other."""

    def __init__(
        self, capability: str, connection: sqlite3.Connection, checkpoint: Checkpoint
    ) -> None:
        self._reader = self._writer = _Inline(capability, connection, checkpoint)
        self._at_hand = None
        self.pools = (self._reader, self._writer)

    def read_at_once(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        raise Busy  # reading here would skip the checkpoint


class _Inline(Writer):
    def __init__(
        self, capability: str, connection: sqlite3.Connection, checkpoint: Checkpoint
    ) -> None:
        super().__init__("", capability, "NORMAL")
        self._connection = connection
        self._checkpoint = checkpoint

    async def run(self, job: Job) -> Any:
        await self._checkpoint(f"before a transaction of {self._capability}")
        self._do(self._connection, [job])
        await self._checkpoint(f"after a transaction of {self._capability}")
        if job.error is not None:
            raise job.error
        return job.answer
