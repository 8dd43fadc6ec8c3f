"""Titles, holds and counted loans."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "titles",
        sa.Column("isbn", sa.String(13), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("copies", sa.Integer, nullable=False),
        sa.Column("free", sa.Integer, nullable=False),
        sa.Column("lent", sa.Integer, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("loan_id", sa.Uuid, primary_key=True),
        sa.Column("isbn", sa.String(13), nullable=False),
    )
    op.create_table("counted", sa.Column("event_id", sa.Uuid, primary_key=True))
