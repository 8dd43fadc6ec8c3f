"""Events: facts that have happened, which an outbox delivers to every consumer.

    class BookLent(Event, name="book-lent"):
        isbn: str

The capability that publishes an event writes it into its outbox, in the transaction of the change
that it reports. A capability that consumes it has a contract method for several at once:

    class Notices(Capability, Protocol, path="/notices"):
        @post("", idempotent=True)
        async def write(self, request: Events[BookLent]) -> Delivered: ...
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from borough.capability import Message


class Event(Message):
    """A fact, frozen, with the version of its schema. The outbox stores its name beside it."""

    name: ClassVar[str] = ""

    event_id: UUID
    schema_version: int

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name or cls.name


E = TypeVar("E", bound=Event)


class Events(Message, Generic[E]):
    """Events of one kind in one delivery."""

    events: tuple[E, ...]


class Outcome(StrEnum):
    """The result of an event at a consumer."""

    HANDLED = "handled"
    PENDING = "pending"  # handling failed, and must be tried again
    PARKED = "parked"  # handling failed too often; the consumer stores it


class Delivered(Message):
    """The outcome of each event of a delivery, in its order."""

    outcomes: tuple[Outcome, ...]

    @classmethod
    def all(cls, events: Collection[Event]) -> "Delivered":
        """Every one of these events was handled."""
        return cls(outcomes=(Outcome.HANDLED,) * len(events))
