"""Titles, holds and counted loans."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "titles",
        sa.Column("isbn", sa.String(13), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("isbn", name="pk_titles"),
    )
    for name, key in (("holds", "loan_id"), ("counted", "event_id")):
        op.create_table(
            name,
            sa.Column(key, sa.Uuid(), nullable=False),
            sa.Column("isbn", sa.String(13), nullable=False),
            sa.PrimaryKeyConstraint(key, name=f"pk_{name}"),
        )
        op.create_index(f"ix_{name}_isbn", name, ["isbn"])
