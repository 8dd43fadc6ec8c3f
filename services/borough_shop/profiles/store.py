"""Profiles in a table: one row per customer."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from borough.stores.sql import Database
from borough.stores.statements import Statement, Utc, tables
from borough_shop.profiles.contract import Profile
from borough_shop.profiles.domain import ProfileStore

TABLES = tables()

profiles = sa.Table(
    "profiles",
    TABLES,
    sa.Column("customer_id", sa.String(63), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("card_token", sa.String(64), nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
)

_FIND = Statement(
    sa.select(profiles).where(profiles.c.customer_id == sa.bindparam("customer_id")), brief=True
)
_UPSERT = Statement(
    lambda sql: (put := sql.insert(profiles)).on_conflict_do_update(
        index_elements=[profiles.c.customer_id], set_=dict(put.excluded)
    )
)


@dataclass(frozen=True, slots=True)
class SqlProfiles(ProfileStore):
    db: Database

    async def get(self, customer_id: str) -> Profile | None:
        row = (await self.db.execute(_FIND, customer_id=customer_id)).first()
        return None if row is None else Profile(**row._asdict())

    async def upsert(self, profile: Profile, at: datetime) -> None:
        await self.db.execute(_UPSERT, **profile.model_dump(), updated_at=at)
