"""Has the table of a message the columns that its fields need?"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import pytest
from sqlalchemy import BigInteger, String, Uuid
from sqlalchemy.types import TypeEngine

from borough.capability import Message
from borough.stores.statements import Document, Utc, table


class State(StrEnum):
    """Of a ticket."""

    OPEN = "open"


class Ticket(Message):
    """A message with a field of each kind."""

    ticket_id: UUID
    state: State
    assignee: str | None = None
    closed_at: datetime | None = None
    replies: int
    tags: tuple[str, ...] = ()
    place: int | str = 0


@pytest.mark.parametrize(
    ("field", "type_"),
    [
        ("ticket_id", Uuid),
        ("state", String),
        ("assignee", String),
        ("closed_at", Utc),
        ("replies", BigInteger),
        ("tags", Document),
        ("place", Document),
    ],
)
def test_field_has_the_type_of_its_class(field: str, type_: type[TypeEngine[object]]) -> None:
    """One that may be None has that of its class; what SQL has no type for is JSON."""
    assert isinstance(table("tickets", Ticket, key="ticket_id").c[field].type, type_)
