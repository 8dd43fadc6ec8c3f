"""The outbox: events are written in the transaction of their cause, and delivered later.

There is a row for each event and consumer, and a relay for each consumer: one that fails or is slow
delays no other. A relay claims rows for a lease, delivers them, and marks them sent. If it crashes
before that, another relay delivers them after the lease; consumers recognize a repeated event by
its id. Rows are claimed, delivered and marked in batches, which share a transaction and a call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import (
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from borough import signals
from borough.clock import Clock
from borough.events import Delivered, Event, Outcome
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement, Utc, any_of, tables
from borough_telemetry import Telemetry

BATCH = 32
"""Events claimed at once: so many are delayed by a lease if their relay crashes."""

MESSAGE_BYTES = 32_768
"""A message takes more events as long as it stays below this: half of what a part accepts."""

LOOK_EVERY = timedelta(seconds=5)
"""The interval at which the oldest undelivered event is looked up: scrapes do not query."""
PRUNE_EVERY = timedelta(minutes=1)
PIECE = 1_000
"""Rows deleted in one transaction, so that pruning a backlog does not block writers."""

outbox = Table(
    "outbox",
    tables(),
    Column("event_id", Uuid, primary_key=True),
    Column("consumer", String(63), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("event", Text, nullable=False),
    Column("trace", String(128)),
    Column("tries", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("sent_at", Utc),
)
_UNSENT = outbox.c.sent_at.is_(None)
_SENT = outbox.c.sent_at.is_not(None)
Index(None, "consumer", outbox.c.due_at, sqlite_where=_UNSENT, postgresql_where=_UNSENT)
Index(None, outbox.c.sent_at, sqlite_where=_SENT, postgresql_where=_SENT)

_FOR_IT = outbox.c.consumer == bindparam("to")

_ENQUEUE = Statement(insert(outbox))
# Not durable: after a power cut, events may be claimed and delivered once more.
_DUE = (
    select(outbox.c.event_id)
    .where(_FOR_IT, _UNSENT, outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.due_at, outbox.c.event_id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = Statement(
    update(outbox)
    .where(_FOR_IT, outbox.c.event_id.in_(select(_DUE.c.event_id)))
    .values(due_at=bindparam("until"))
    .returning(outbox.c.name, outbox.c.event, outbox.c.trace, outbox.c.tries),
    durable=False,
)
_MARK_SENT = Statement(
    lambda sql: (
        update(outbox)
        .where(any_of(sql, outbox.c.event_id, "event_ids"), _FOR_IT, _UNSENT)
        .values(sent_at=bindparam("at"))
    ),
    durable=False,
)
_MARK_FAILED = Statement(
    update(outbox)
    .where(outbox.c.event_id == bindparam("id"), _FOR_IT, _UNSENT)
    .values(due_at=bindparam("retry_at"), tries=outbox.c.tries + 1)
    .returning(outbox.c.event_id),
    durable=False,
)
_OLD = (
    select(outbox.c.event_id)
    .where(_FOR_IT, _SENT, outbox.c.sent_at < bindparam("before"))
    .limit(bindparam("limit"))
)
_PRUNE = Statement(
    delete(outbox).where(_FOR_IT, outbox.c.event_id.in_(_OLD)),
    durable=False,
)
_COUNT = Statement(select(func.count().label("unsent")).where(_UNSENT))
_OLDEST = Statement(
    select(func.min(outbox.c.created_at, type_=Utc).label("since")).where(_FOR_IT, _UNSENT)
)

Routes = Mapping[type[Event], tuple[str, ...]]
"""The capabilities that consume each kind of event."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event to deliver, the traceparent of its cause, and how often delivery failed."""

    event: Event
    trace: str | None
    tries: int


class Outbox(Protocol):
    """The events of one capability that are not yet delivered to all of its consumers."""

    async def claim(
        self, consumer: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Envelope, ...]:
        """Events for this consumer that are due, the longest due first. Until `now + lease` no
        other relay can claim them.
        """
        ...

    async def sent(self, consumer: str, event_ids: Collection[UUID], at: datetime) -> None:
        """Mark these events as delivered to the consumer."""
        ...

    async def failed(self, consumer: str, retries: Mapping[UUID, datetime]) -> None:
        """Count a failed try of each of these events, due again at the time under its id."""
        ...

    async def prune(self, consumer: str, sent_before: datetime, limit: int) -> int:
        """Delete rows that were sent before that time, at most `limit`; returns how many."""
        ...

    async def unsent(self) -> int:
        """How many deliveries are outstanding, claimed or not, over all consumers."""
        ...

    async def oldest(self, consumer: str) -> datetime | None:
        """The time of the oldest event that is not yet delivered to this consumer."""
        ...


@dataclass(frozen=True, slots=True)
class SqlOutbox(Outbox):
    """The outbox as a table in the database of the capability."""

    db: Database
    routes: Routes
    _kinds: dict[str, type[Event]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kinds", {kind.name: kind for kind in self.routes})

    async def enqueue(self, tx: Transaction, event: Event, trace: str | None, at: datetime) -> None:
        """Write the event within a transaction, for each of its consumers, due at once."""
        text = event.model_dump_json()
        for consumer in self.routes[type(event)]:
            await tx.execute(
                _ENQUEUE,
                event_id=event.event_id,
                consumer=consumer,
                name=event.name,
                event=text,
                trace=trace,
                tries=0,
                created_at=at,
                due_at=at,
                sent_at=None,
            )

    async def claim(
        self, consumer: str, now: datetime, lease: timedelta, limit: int
    ) -> tuple[Envelope, ...]:
        claimed = await self.db.execute(
            _CLAIM, to=consumer, now=now, limit=limit, until=now + lease
        )
        envelopes = (
            Envelope(self._kinds[row.name].model_validate_json(row.event), row.trace, row.tries)
            for row in claimed.rows
        )
        return tuple(sorted(envelopes, key=lambda envelope: envelope.event.event_id))

    async def sent(self, consumer: str, event_ids: Collection[UUID], at: datetime) -> None:
        await self.db.execute(_MARK_SENT, to=consumer, event_ids=list(event_ids), at=at)

    async def failed(self, consumer: str, retries: Mapping[UUID, datetime]) -> None:
        rows = [
            {"id": event_id, "to": consumer, "retry_at": retries[event_id]}
            for event_id in sorted(retries)
        ]
        await self.db.execute_many(_MARK_FAILED, rows)

    async def prune(self, consumer: str, sent_before: datetime, limit: int) -> int:
        pruned = await self.db.execute(_PRUNE, to=consumer, before=sent_before, limit=limit)
        return pruned.count

    async def unsent(self) -> int:
        count: int = (await self.db.execute(_COUNT)).rows[0].unsent
        return count

    async def oldest(self, consumer: str) -> datetime | None:
        since: datetime | None = (await self.db.execute(_OLDEST, to=consumer)).rows[0].since
        return since


def backoff(tries: int) -> timedelta:
    """The pause after this many failed tries: doubling from 100 ms, 5 s at most, without end."""
    return timedelta(milliseconds=min(100 << min(tries, 10), 5_000))


class Round(NamedTuple):
    """How many events were delivered, and how many must be delivered again."""

    sent: int
    failed: int


@dataclass(slots=True)
class Relay:
    """A background loop that delivers the events of an outbox to one consumer. Times in seconds.

    After a round of several events it waits for `linger` once it is woken: events that are written
    meanwhile share the next round, which costs nearly the same for one event as for ten. After a
    round of one event it does not wait.
    """

    publisher: str
    consumer: str
    outbox: Outbox
    deliver: Callable[[tuple[Event, ...]], Awaitable[Delivered]]
    clock: Clock
    telemetry: Telemetry
    interval: float
    lease: float
    retention: float
    linger: float = 0.0
    message_bytes: int = MESSAGE_BYTES
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _pruned_at: datetime | None = field(default=None, init=False)
    _looked_at: datetime | None = field(default=None, init=False)
    _waiting_since: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.telemetry.watch(signals.OUTBOX_AGE, self._age, consumer=self.consumer)

    def wake(self) -> None:
        """End the pause early: there are events to deliver."""
        self._woken.set()

    async def run(self) -> None:
        """Without end: rounds while they are full, then a pause. No failure ends it, and after one
        the pause does not end early, so that an unavailable consumer is not called in a tight loop.
        """
        while True:
            self._woken.clear()
            try:
                sent, failed = await self.once()
            except Exception as error:  # noqa: BLE001  # no other loop delivers to this consumer
                self.telemetry.log.warning("relay round failed", error=str(error))
                sent, failed = 0, 1
            if failed:
                await self.clock.sleep(self.interval)
            elif sent < BATCH:
                await self._pause()
                if sent > 1:
                    await self.clock.sleep(self.linger)

    async def once(self) -> Round:
        """Claim due events and try to deliver them concurrently; at intervals look up the oldest
        undelivered one, and prune.
        """
        now = self.clock.now()
        lease = timedelta(seconds=self.lease)
        envelopes = await self.outbox.claim(self.consumer, now, lease, BATCH)
        messages = _messages(envelopes, self.message_bytes)
        sent = 0
        for count in await asyncio.gather(*map(self._deliver, messages), return_exceptions=True):
            if isinstance(count, BaseException):
                raise count
            sent += count
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self._waiting_since = await self.outbox.oldest(self.consumer)
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now
            before = now - timedelta(seconds=self.retention)
            while await self.outbox.prune(self.consumer, before, PIECE) == PIECE:
                pass  # other transactions may write between two batches
        return Round(sent, len(envelopes) - sent)

    def _age(self) -> float:
        since = self._waiting_since
        return 0.0 if since is None else (self.clock.now() - since).total_seconds()

    async def _deliver(self, envelopes: Sequence[Envelope]) -> int:
        """Deliver them in one message; returns how many the consumer has handled."""
        events = tuple(envelope.event for envelope in envelopes)
        traces = [envelope.trace for envelope in envelopes]
        with self.telemetry.background(f"{self.publisher}.relay", self.publisher, causes=traces):
            done = set[UUID]()
            try:
                outcomes = (await self.deliver(events)).outcomes
                for event, outcome in zip(events, outcomes, strict=True):
                    if outcome is not Outcome.PENDING:
                        done.add(event.event_id)
            except Exception as error:  # noqa: BLE001  # after any error they are delivered again
                self.telemetry.log.warning(
                    "delivery failed", consumer=self.consumer, events=len(events), error=str(error)
                )
                done.clear()
            now = self.clock.now()
            again = {
                envelope.event.event_id: now + backoff(envelope.tries)
                for envelope in envelopes
                if envelope.event.event_id not in done
            }
            if done:
                self._count(len(done), "sent")
                await self.outbox.sent(self.consumer, done, now)
            if again:
                self._count(len(again), "failed")
                await self.outbox.failed(self.consumer, again)
            return len(done)

    def _count(self, events: int, result: str) -> None:
        self.telemetry.count(signals.DELIVERIES, events, consumer=self.consumer, result=result)

    async def _pause(self) -> None:
        if self._woken.is_set():
            return
        sleeping = asyncio.create_task(self.clock.sleep(self.interval))
        sleeping.add_done_callback(self._wake_after)
        try:
            await self._woken.wait()
        finally:
            sleeping.cancel()

    def _wake_after(self, pause: asyncio.Task[None]) -> None:
        if not pause.cancelled():
            self.wake()


def _messages(envelopes: Iterable[Envelope], most: int) -> Iterator[list[Envelope]]:
    """The envelopes, as many in a message as `most` bytes take, and at least one."""
    message: list[Envelope] = []
    size = 0
    for envelope in envelopes:
        size += (bytes_ := len(envelope.event.model_dump_json()))
        if message and size > most:
            yield message
            message, size = [], bytes_
        message.append(envelope)
    if message:
        yield message
