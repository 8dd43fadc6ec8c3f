"""Tables of the kit, as revisions of a capability's schema make them. What a function makes never
changes: a later version of a table is a function of its own.
"""

import sqlalchemy as sa
from alembic import op


def create_outbox() -> None:
    """The table of `borough.outbox`: to be called in `upgrade()` of a capability that publishes."""
    unsent, sent = sa.text("sent_at IS NULL"), sa.text("sent_at IS NOT NULL")
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("consumer", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("trace", sa.String(128)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("event_id", "consumer", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_consumer_due_at",
        "outbox",
        ["consumer", "due_at"],
        sqlite_where=unsent,
        postgresql_where=unsent,
    )
    op.create_index(
        "ix_outbox_sent_at", "outbox", ["sent_at"], sqlite_where=sent, postgresql_where=sent
    )
