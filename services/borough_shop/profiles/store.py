"""Profiles in a table: one row per customer."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, String, Table, bindparam, select

from borough.stores.sql import Database
from borough.stores.statements import Statement, Utc, tables
from borough_shop.profiles.contract import Profile
from borough_shop.profiles.domain import ProfileStore

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

_FIND = Statement(
    select(profiles).where(profiles.c.customer_id == bindparam("customer_id")), brief=True
)
_UPSERT = Statement(
    lambda sql: (put := sql.insert(profiles)).on_conflict_do_update(
        index_elements=[profiles.c.customer_id], set_=dict(put.excluded)
    )
)


@dataclass(frozen=True, slots=True)
class SqlProfiles(ProfileStore):
    """The books of profiles."""

    db: Database

    async def get(self, customer_id: str) -> Profile | None:
        row = (await self.db.execute(_FIND, customer_id=customer_id)).first()
        return None if row is None else Profile(**row._asdict())

    async def upsert(self, profile: Profile, at: datetime) -> None:
        await self.db.execute(_UPSERT, **profile.model_dump(), updated_at=at)
