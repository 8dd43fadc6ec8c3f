"""What happened is written down in the transaction that made it happen, and told afterwards.

A row is delivered at least once: it is claimed for a lease, delivered, and marked sent; a relay
that dies in between loses its claim, and another delivers again. Receivers know an event by its id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import (
    Column,
    Index,
    Integer,
    ScalarSelect,
    String,
    Table,
    Uuid,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from borough.contracts.events import OrderPlaced
from borough.kit import signals
from borough.kit.clock import Clock
from borough.kit.columns import Document, Utc, tables
from borough.kit.sql import Database
from borough.kit.telemetry import Telemetry

BATCH = 32
"""Events delivered at the same time; also what one relay can hold back by dying."""

LOOK_EVERY = timedelta(seconds=5)
"""How often the age of the oldest untold event is looked up: never by whoever asks for metrics."""
PRUNE_EVERY = timedelta(minutes=1)
PIECE = 1_000
"""Events forgotten in one transaction: pruning a backlog must not keep the orders waiting."""

outbox = Table(
    "outbox",
    tables(),
    Column("event_id", Uuid, primary_key=True),
    Column("event", Document(OrderPlaced), nullable=False),
    Column("trace", String(128)),
    Column("tries", Integer, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("sent_at", Utc),
)
_UNSENT = outbox.c.sent_at.is_(None)
_SENT = outbox.c.sent_at.is_not(None)
Index(None, outbox.c.due_at, sqlite_where=_UNSENT, postgresql_where=_UNSENT)
Index(None, outbox.c.sent_at, sqlite_where=_SENT, postgresql_where=_SENT)

_BY_ID = cast(outbox.c.event_id, String)
"""Ids sort by time. As text, lest a database walk its primary key through all that was sent."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event to tell, the traceparent of what caused it, and how often telling it failed."""

    event: OrderPlaced
    trace: str | None
    tries: int


class Outbox(Protocol):
    """The events of one database that somebody must yet be told."""

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        """Unsent events that are due, oldest first. Until `now + lease` nobody else gets them."""
        ...

    async def sent(self, event_id: UUID, at: datetime) -> None:
        """It was delivered."""
        ...

    async def failed(self, event_id: UUID, retry_at: datetime) -> None:
        """It was not: one try more, due again then."""
        ...

    async def prune(self, sent_before: datetime, limit: int) -> int:
        """Forget what was sent before that moment, at most `limit`; answers how many."""
        ...

    async def unsent(self) -> int:
        """How many are yet to be told, claimed or not."""
        ...

    async def oldest(self) -> OrderPlaced | None:
        """The first that happened of those yet to be told, claimed or not."""
        ...


async def enqueue(
    connection: AsyncConnection, event: OrderPlaced, trace: ScalarSelect[Any], at: datetime
) -> None:
    """Write the event down within the transaction of `connection`, due at once."""
    row = {"event_id": event.event_id, "event": event, "trace": trace, "tries": 0, "due_at": at}
    await connection.execute(insert(outbox).values(row))


@dataclass(frozen=True, slots=True)
class SqlOutbox(Outbox):
    """The outbox as a table beside those whose changes it tells."""

    db: Database

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        due = (
            select(outbox.c.event_id, outbox.c.event, outbox.c.trace, outbox.c.tries)
            .where(_UNSENT, outbox.c.due_at <= now)
            .order_by(outbox.c.due_at, outbox.c.event_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self.db.write() as connection:
            rows = (await connection.execute(due)).all()
            if rows:
                claimed = outbox.c.event_id.in_([row.event_id for row in rows])
                await connection.execute(update(outbox).where(claimed).values(due_at=now + lease))
        return tuple(Envelope(row.event, row.trace, row.tries) for row in rows)

    async def sent(self, event_id: UUID, at: datetime) -> None:
        async with self.db.write() as connection:
            await connection.execute(
                update(outbox).where(outbox.c.event_id == event_id, _UNSENT).values(sent_at=at)
            )

    async def failed(self, event_id: UUID, retry_at: datetime) -> None:
        async with self.db.write() as connection:
            await connection.execute(
                update(outbox)
                .where(outbox.c.event_id == event_id, _UNSENT)
                .values(due_at=retry_at, tries=outbox.c.tries + 1)
            )

    async def prune(self, sent_before: datetime, limit: int) -> int:
        old = select(outbox.c.event_id).where(_SENT, outbox.c.sent_at < sent_before).limit(limit)
        async with self.db.write() as connection:
            forgotten = delete(outbox).where(outbox.c.event_id.in_(old))
            return (await connection.execute(forgotten)).rowcount

    async def unsent(self) -> int:
        async with self.db.read() as connection:
            return await connection.scalar(select(func.count()).where(_UNSENT)) or 0

    async def oldest(self) -> OrderPlaced | None:
        first = select(outbox.c.event).where(_UNSENT).order_by(_BY_ID).limit(1)
        async with self.db.read() as connection:
            return await connection.scalar(first)


def backoff(tries: int) -> timedelta:
    """The pause after so many failed tries: doubling from 100 ms, 5 s at most, for ever."""
    return timedelta(milliseconds=min(100 << min(tries, 10), 5_000))


class Round(NamedTuple):
    """How many events were told, and how many must be told again."""

    told: int
    failed: int


@dataclass(slots=True)
class Relay:
    """A background loop that delivers the events of an outbox. Times in seconds."""

    outbox: Outbox
    deliver: Callable[[OrderPlaced], Awaitable[object]]
    clock: Clock
    telemetry: Telemetry
    interval: float
    lease: float
    retention: float
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _pruned_at: datetime | None = field(default=None, init=False)
    _looked_at: datetime | None = field(default=None, init=False)
    _waiting_since: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.telemetry.watch(signals.OUTBOX_AGE, self._age)

    def wake(self) -> None:
        """There is something to deliver: cut the pause short."""
        self._woken.set()

    async def run(self) -> None:
        """Forever: rounds while they are full, then a pause. Nothing that fails ends it, and after
        a failure nothing cuts the pause short: whoever is away is not asked without end.
        """
        while True:
            self._woken.clear()
            try:
                told, failed = await self.once()
            except Exception as error:  # noqa: BLE001  # an outbox nobody empties is the worse failure
                self.telemetry.log.warning("relay round failed", error=str(error))
                told, failed = 0, 1
            if failed:
                await self.clock.sleep(self.interval)
            elif told < BATCH:
                await self._pause()

    async def once(self) -> Round:
        """Claim what is due and try to deliver it, all at once; now and then, look at what is left
        and prune what is not needed any more.
        """
        now = self.clock.now()
        envelopes = await self.outbox.claim(now, timedelta(seconds=self.lease), BATCH)
        marks = await asyncio.gather(*map(self._tell, envelopes), return_exceptions=True)
        told = 0
        for mark in marks:
            if isinstance(mark, BaseException):
                raise mark
            told += mark
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            left = await self.outbox.oldest()
            self._waiting_since = None if left is None else left.placed_at
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now
            await self._prune(now - timedelta(seconds=self.retention))
        return Round(told, len(envelopes) - told)

    def _age(self) -> float:
        since = self._waiting_since
        return 0.0 if since is None else (self.clock.now() - since).total_seconds()

    async def _prune(self, sent_before: datetime) -> None:
        while await self.outbox.prune(sent_before, PIECE) == PIECE:
            pass  # others write between two pieces

    async def _tell(self, envelope: Envelope) -> bool:
        """Whether it was heard."""
        event = envelope.event
        with self.telemetry.background("orders.relay", "orders", link=envelope.trace):
            try:
                await self.deliver(event)
            except Exception as error:  # noqa: BLE001  # whatever it is, the event must be told again
                self.telemetry.count(signals.DELIVERIES, result="failed")
                self.telemetry.log.warning(
                    "delivery failed", event_id=str(event.event_id), error=str(error)
                )
                await self.outbox.failed(event.event_id, self.clock.now() + backoff(envelope.tries))
                return False
            self.telemetry.count(signals.DELIVERIES, result="sent")
            await self.outbox.sent(event.event_id, self.clock.now())
            return True

    async def _pause(self) -> None:
        ends = {
            asyncio.create_task(self._woken.wait()),
            asyncio.create_task(self.clock.sleep(self.interval)),
        }
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.wait(ends)
