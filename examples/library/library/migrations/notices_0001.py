"""Letters."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("isbn", sa.String(13), nullable=False),
        sa.Column("member", sa.String(63), nullable=False),
    )
