"""One engine and one session maker for each capability's database, as SQLAlchemy's documents say.

PostgreSQL keeps SQLAlchemy's and asyncpg's defaults: a pool of five with ten more, prepared
statements and compiled SQL cached. SQLite has one writer at a time, so its pool holds one
connection: writers wait for it without working, instead of asking again and again for the lock.
"""

from dataclasses import dataclass
from typing import Any

from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.schema import CreateSchema

from bench.common.models import BASES

Sessions = async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True)
class Databases:
    """The sessions of every capability."""

    orders: Sessions
    profiles: Sessions
    inventory: Sessions
    payments: Sessions
    notifications: Sessions
    engines: dict[str, AsyncEngine]

    @classmethod
    def open(cls, store: str) -> "Databases":
        """At sqlite:///FOLDER or postgresql://USER@HOST/DB; nothing is connected yet."""
        engines = {name: _engine(store, name) for name in BASES}
        return cls(
            **{
                name: async_sessionmaker(engine, expire_on_commit=False)
                for name, engine in engines.items()
            },
            engines=engines,
        )

    async def create(self) -> None:
        """Make every schema and table that is not there."""
        for name, engine in self.engines.items():
            async with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    await connection.execute(CreateSchema(name, if_not_exists=True))
                await connection.run_sync(BASES[name].metadata.create_all)

    def trace(self) -> None:
        """A span for each statement and each connection taken from a pool, by the official
        instrumentor. Its metadata end at SQLAlchemy 2.0, and it would silently do nothing with 2.1,
        which it traces as well.
        """
        engines = [engine.sync_engine for engine in self.engines.values()]
        SQLAlchemyInstrumentor().instrument(engines=engines, skip_dep_check=True)

    async def close(self) -> None:
        """Give every connection back."""
        for engine in self.engines.values():
            await engine.dispose()


def _engine(store: str, capability: str) -> AsyncEngine:
    url = make_url(store)
    if url.drivername == "postgresql":
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            connect_args={"server_settings": {"search_path": capability}},
        )
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite", database=f"{url.database}/{capability}.db"),
        pool_size=1, max_overflow=0, connect_args={"timeout": 30},
    )  # fmt: skip  # where, and how many at a time

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
