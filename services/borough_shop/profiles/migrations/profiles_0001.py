"""Profiles."""

import sqlalchemy as sa
from alembic import op

revision = "profiles_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("customer_id", sa.String(63), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("card_token", sa.String(64), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_profiles"),
    )
