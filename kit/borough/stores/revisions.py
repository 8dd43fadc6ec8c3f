"""Revisions of schemas: their sequence, and tables of the kit for revisions of capabilities.

The table that a function creates never changes: a later version of it gets another function.
"""

from pathlib import Path

import sqlalchemy as sa

from borough.config import WrongSettings


def head(capability: str, folder: Path) -> str:
    """The last revision of the capability that this version knows. Raises WrongSettings where the
    folder has none.
    """
    revisions = [file.name.removesuffix(".py") for file in folder.iterdir()]
    last = max(revisions, key=lambda each: number(each, capability), default="")
    if number(last, capability) < 0:
        raise WrongSettings(
            f"{capability} has no migration: there is no {capability}_0001.py in {folder}"
        )
    return last


def is_current(found: str | None, capability: str, folder: Path) -> bool:
    """Whether this version can work with a schema at that revision: its head, or a later one."""
    if found is None:
        return False
    return number(found, capability) >= number(head(capability, folder), capability)


def number(revision: str, capability: str) -> int:
    """The number of a revision in the capability's sequence; -1 for one that is not in it."""
    line, _, digits = revision.rpartition("_")
    return int(digits) if line == capability and digits.isdecimal() else -1


def create_outbox() -> None:
    """Create the table of `borough.outbox`, in `upgrade()` of a capability that publishes."""
    from alembic import op  # noqa: PLC0415  # Alembic: 0.3 s that serving can spare

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
