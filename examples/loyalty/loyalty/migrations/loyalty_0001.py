"""Awards."""

import sqlalchemy as sa
from alembic import op

revision = "loyalty_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "awards",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("customer_id", sa.String(63), nullable=False, index=True),
        sa.Column("points", sa.BigInteger, nullable=False),
    )
