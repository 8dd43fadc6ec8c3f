"""Awards."""

import sqlalchemy as sa
from alembic import op

revision = "loyalty_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "awards",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.String(63), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_awards"),
    )
    op.create_index("ix_awards_customer_id", "awards", ["customer_id"])
