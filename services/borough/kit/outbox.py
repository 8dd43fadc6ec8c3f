"""What happened is written down in the transaction that made it happen, and told afterwards.

A row is delivered at least once: it is claimed for a lease, delivered, and marked sent; a relay
that dies in between loses its claim, and another delivers again. Receivers know an event by its id.
Rows are claimed, delivered and marked in batches: what a crossing to the database and a call over
the network cost is shared by all that is due.
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
    Uuid,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from borough.contracts.events import OrderPlaced
from borough.contracts.notifications import Deliver, Delivered, NotificationState
from borough.kit import signals
from borough.kit.clock import Clock
from borough.kit.columns import Document, Utc, tables
from borough.kit.sql import Database, Transaction
from borough.kit.statements import Statement, any_of
from borough.kit.telemetry import Telemetry

BATCH = 32
"""Events claimed at once; also what one relay can hold back by dying."""

MESSAGE_BYTES = 32_768
"""A message takes more events as long as it stays below this: half of what a part accepts."""

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

_ENQUEUE = Statement(insert(outbox))
# A power cut may undo what follows: events are then claimed and delivered once more.
_DUE = (
    select(outbox.c.event_id)
    .where(_UNSENT, outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.due_at, outbox.c.event_id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = Statement(
    update(outbox)
    .where(outbox.c.event_id.in_(select(_DUE.c.event_id)))
    .values(due_at=bindparam("until"))
    .returning(outbox.c.event, outbox.c.trace, outbox.c.tries),
    durable=False,
)
_MARK_SENT = Statement(
    lambda sql: (
        update(outbox)
        .where(any_of(sql, outbox.c.event_id, "event_ids"), _UNSENT)
        .values(sent_at=bindparam("at"))
    ),
    durable=False,
)
_MARK_FAILED = Statement(
    update(outbox)
    .where(outbox.c.event_id == bindparam("id"), _UNSENT)
    .values(due_at=bindparam("retry_at"), tries=outbox.c.tries + 1)
    .returning(outbox.c.event_id),
    durable=False,
)
_OLD = select(outbox.c.event_id).where(_SENT, outbox.c.sent_at < bindparam("before"))
_PRUNE = Statement(
    delete(outbox).where(outbox.c.event_id.in_(_OLD.limit(bindparam("limit")))),
    durable=False,
)
_COUNT = Statement(select(func.count().label("unsent")).where(_UNSENT))
_OLDEST = Statement(select(outbox.c.event).where(_UNSENT).order_by(_BY_ID).limit(1))


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event to tell, the traceparent of what caused it, and how often telling it failed."""

    event: OrderPlaced
    trace: str | None
    tries: int


class Outbox(Protocol):
    """The events of one database that somebody must yet be told."""

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        """Unsent events that are due, those due longest. Until `now + lease` no other relay gets
        them.
        """
        ...

    async def sent(self, event_ids: Collection[UUID], at: datetime) -> None:
        """They were delivered."""
        ...

    async def failed(self, retries: Mapping[UUID, datetime]) -> None:
        """They were not: one try more for each, and due again at the moment under its id."""
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


async def enqueue(tx: Transaction, event: OrderPlaced, trace: str | None, at: datetime) -> None:
    """Write the event down within a transaction, due at once."""
    await tx.execute(
        _ENQUEUE,
        event_id=event.event_id,
        event=event,
        trace=trace,
        tries=0,
        due_at=at,
        sent_at=None,
    )


@dataclass(frozen=True, slots=True)
class SqlOutbox(Outbox):
    """The outbox as a table beside those whose changes it tells."""

    db: Database

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> tuple[Envelope, ...]:
        claimed = await self.db.execute(_CLAIM, now=now, limit=limit, until=now + lease)
        envelopes = (Envelope(row.event, row.trace, row.tries) for row in claimed.rows)
        return tuple(sorted(envelopes, key=lambda envelope: envelope.event.event_id))

    async def sent(self, event_ids: Collection[UUID], at: datetime) -> None:
        await self.db.execute(_MARK_SENT, event_ids=list(event_ids), at=at)

    async def failed(self, retries: Mapping[UUID, datetime]) -> None:
        rows = [{"id": event_id, "retry_at": retries[event_id]} for event_id in sorted(retries)]
        await self.db.execute_many(_MARK_FAILED, rows)

    async def prune(self, sent_before: datetime, limit: int) -> int:
        return (await self.db.execute(_PRUNE, before=sent_before, limit=limit)).count

    async def unsent(self) -> int:
        count: int = (await self.db.execute(_COUNT)).rows[0].unsent
        return count

    async def oldest(self) -> OrderPlaced | None:
        row = (await self.db.execute(_OLDEST)).first()
        return None if row is None else row.event


def backoff(tries: int) -> timedelta:
    """The pause after so many failed tries: doubling from 100 ms, 5 s at most, for ever."""
    return timedelta(milliseconds=min(100 << min(tries, 10), 5_000))


class Round(NamedTuple):
    """How many events were told, and how many must be told again."""

    told: int
    failed: int


@dataclass(slots=True)
class Relay:
    """A background loop that delivers the events of an outbox. Times in seconds.

    After a round of several events it waits for `linger` once it is woken: what happens meanwhile
    shares the next round, which costs nearly the same for one event as for ten. Where events come
    one at a time, there is nothing to share, and work that is put off finds the caches cold.
    """

    outbox: Outbox
    deliver: Callable[[Deliver], Awaitable[Delivered]]
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
                if told > 1:
                    await self.clock.sleep(self.linger)

    async def once(self) -> Round:
        """Claim what is due and try to deliver it, all at once; now and then, look at what is left
        and prune what is not needed any more.
        """
        now = self.clock.now()
        envelopes = await self.outbox.claim(now, timedelta(seconds=self.lease), BATCH)
        told = 0
        for heard in await asyncio.gather(
            *map(self._tell, _messages(envelopes, self.message_bytes)), return_exceptions=True
        ):
            if isinstance(heard, BaseException):
                raise heard
            told += heard
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

    async def _tell(self, envelopes: Sequence[Envelope]) -> int:
        """Deliver them in one message; how many were heard."""
        events = tuple(envelope.event for envelope in envelopes)
        traces = [envelope.trace for envelope in envelopes]
        with self.telemetry.background("orders.relay", "orders", causes=traces):
            try:
                answer = await self.deliver(Deliver(events=events))
            except Exception as error:  # noqa: BLE001  # whatever it is, the events must be told again
                self.telemetry.log.warning("delivery failed", events=len(events), error=str(error))
                heard = set[UUID]()
            else:
                heard = {
                    row.event_id
                    for row in answer.notifications
                    if row.state is not NotificationState.PENDING
                }
            now = self.clock.now()
            missed = {
                envelope.event.event_id: now + backoff(envelope.tries)
                for envelope in envelopes
                if envelope.event.event_id not in heard
            }
            if heard:
                self.telemetry.count(signals.DELIVERIES, len(heard), result="sent")
                await self.outbox.sent(heard, now)
            if missed:
                self.telemetry.count(signals.DELIVERIES, len(missed), result="failed")
                await self.outbox.failed(missed)
            return len(heard)

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
