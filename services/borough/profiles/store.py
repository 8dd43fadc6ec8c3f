"""Profiles in a table: one row per customer."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, String, Table, select

from borough.contracts.profiles import Profile
from borough.kit.columns import Utc, tables
from borough.kit.sql import Database, insert
from borough.profiles.domain import ProfileStore

TABLES = tables()

profiles = Table(
    "profiles",
    TABLES,
    Column("customer_id", String(63), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("email", String(254), nullable=False),
    Column("card_token", String(64), nullable=False),
    Column("updated_at", Utc, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SqlProfiles(ProfileStore):
    """The books of profiles."""

    db: Database

    async def get(self, customer_id: str) -> Profile | None:
        async with self.db.read() as connection:
            found = await connection.execute(
                select(profiles).where(profiles.c.customer_id == customer_id)
            )
            row = found.mappings().one_or_none()
        return None if row is None else Profile(**row)

    async def upsert(self, profile: Profile, at: datetime) -> None:
        row = {**profile.model_dump(), "updated_at": at}
        async with self.db.write() as connection:
            await connection.execute(
                insert(connection, profiles)
                .values(row)
                .on_conflict_do_update(index_elements=[profiles.c.customer_id], set_=row)
            )
