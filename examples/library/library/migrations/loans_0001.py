"""Loans, and their outbox."""

import sqlalchemy as sa
from alembic import op

from borough.stores.revisions import create_outbox

revision = "loans_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "loans",
        sa.Column("loan_id", sa.Uuid, primary_key=True),
        sa.Column("isbn", sa.String(13), nullable=False),
        sa.Column("member", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
    )
    create_outbox()
