"""Orders with their keys, and the outbox."""

import sqlalchemy as sa
from alembic import op

from borough.stores.revisions import create_outbox

revision = "orders_0001"
down_revision = None


def upgrade() -> None:
    pending = sa.text("status = 'pending'")
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.String(63), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("basket", sa.JSON(), nullable=False),
        sa.Column("lines", sa.JSON()),
        sa.Column("total_minor", sa.BigInteger()),
        sa.Column("currency", sa.String(3)),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("trace", sa.String(128)),
        sa.PrimaryKeyConstraint("order_id", name="pk_orders"),
        sa.UniqueConstraint("customer_id", "key", name="uq_orders_customer_id_key"),
    )
    op.create_index("ix_orders_customer_id_order_id", "orders", ["customer_id", "order_id"])
    op.create_index(
        "ix_orders_pending", "orders", ["order_id"], sqlite_where=pending, postgresql_where=pending
    )
    create_outbox()
