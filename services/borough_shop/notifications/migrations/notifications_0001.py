"""Notifications."""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("failed_tries", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_notifications"),
    )
    op.create_index(
        "ix_notifications_customer_id_event_id", "notifications", ["customer_id", "event_id"]
    )
