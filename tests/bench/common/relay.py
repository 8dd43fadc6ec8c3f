"""What runs beside the requests: the relay of the outbox, and what settles overdue orders."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from opentelemetry import propagate, trace
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from bench.common.databases import Databases
from bench.common.models import PENDING, RECORDED, Event, Notification, Order
from bench.common.steps import now

BATCH = 32
INTERVAL_S = 0.5
LEASE = timedelta(seconds=10)
HORIZON = timedelta(seconds=5)

_tracer = trace.get_tracer(__name__)


class Relay:
    """Delivers each event at least once: claimed for a lease, delivered, marked."""

    def __init__(self, db: Databases) -> None:
        self._db = db
        self._woken = asyncio.Event()
        self.sent = 0

    def wake(self) -> None:
        """There is an event."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._woken.clear()
            events = await self._claim()
            sent = await asyncio.gather(*map(self._tell, events), return_exceptions=True)
            self.sent += sum(one is True for one in sent)
            if len(events) < BATCH:
                try:
                    async with asyncio.timeout(INTERVAL_S):
                        await self._woken.wait()
                except TimeoutError:
                    pass

    async def _claim(self) -> list[Event]:
        """One transaction."""
        moment = now()
        due = (
            select(Event)
            .where(Event.sent_at.is_(None), Event.due_at <= moment)
            .order_by(Event.due_at, Event.event_id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        async with self._db.orders.begin() as session:
            events = list(await session.scalars(due))
            if events:
                await session.execute(
                    update(Event)
                    .where(Event.event_id.in_([event.event_id for event in events]))
                    .values(due_at=moment + LEASE)
                    .execution_options(synchronize_session=False)
                )
        return events

    async def _tell(self, row: Event) -> bool:
        cause = trace.get_current_span(propagate.extract({"traceparent": row.trace or ""}))
        links = [trace.Link(cause.get_span_context())]
        with _tracer.start_as_current_span("relay", links=links):
            try:
                await deliver(self._db, row.event)
            except Exception:
                await self._mark(row, due_at=now() + timedelta(seconds=1), tries=row.tries + 1)
                raise
            await self._mark(row, sent_at=now())
            return True

    async def _mark(self, row: Event, **values: object) -> None:
        """One transaction."""
        async with self._db.orders.begin() as session:
            await session.execute(
                update(Event)
                .where(Event.event_id == row.event_id, Event.sent_at.is_(None))
                .values(**values)
                .execution_options(synchronize_session=False)
            )


async def deliver(db: Databases, event: dict[str, Any]) -> None:
    """Tell the customer, once for each event: opened in one transaction, recorded in another."""
    event_id = UUID(event["event_id"])
    try:
        async with db.notifications.begin() as session:
            session.add(
                Notification(
                    event_id=event_id, order_id=UUID(event["order_id"]),
                    customer_id=event["customer_id"], state=PENDING, text="", updated_at=now(),
                )
            )  # fmt: skip  # the row at a glance
    except IntegrityError:
        pass  # it was delivered before, and may not have been recorded
    lines = ", ".join(f"{line['quantity']} x {line['sku']}" for line in event["lines"])
    euros, cents = divmod(event["total"]["minor"], 100)
    text = f"Your order of {lines} is placed: {euros}.{cents:02} {event['total']['currency']}."
    async with db.notifications.begin() as session:
        note = await session.get_one(Notification, event_id)
        if note.state == PENDING:
            note.state, note.text, note.updated_at = RECORDED, text, now()


async def overdue(db: Databases) -> list[Order]:
    """Orders that are pending one horizon after their deadline."""
    late = select(Order).where(Order.status == PENDING, Order.deadline < now() - HORIZON)
    async with db.orders() as session:
        return list(await session.scalars(late.limit(100)))
