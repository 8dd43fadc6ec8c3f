"""Verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "payments_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3)),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_verdicts"),
        sa.CheckConstraint("(outcome = 'captured') = (amount_minor IS NOT NULL)", name="amount"),
        sa.CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="currency"),
    )
