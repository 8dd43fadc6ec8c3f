"""What the bench asks after a run: are the rows of the common app consistent?"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bench.common.databases import Databases
from bench.common.models import (
    CAPTURED,
    COMMITTED,
    OPEN,
    PENDING,
    PLACED,
    RECORDED,
    RELEASED,
    Article,
    Event,
    Notification,
    Order,
    Reservation,
    Verdict,
)
from bench.common.steps import total

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row that matters; `notified` counts the recorded notifications of an order."""

    orders: list[Order]
    verdicts: dict[UUID, Verdict]
    reservations: dict[UUID, Reservation]
    notified: Counter[UUID]
    articles: list[Article]


async def audit(db: Databases) -> dict[str, Any]:
    """Wait until nothing is under way, a minute at most, and judge; as `borough audit --json`."""
    with suppress(TimeoutError):  # what is pending then is a violation below
        async with asyncio.timeout(PATIENCE_S):
            while await _under_way(db):
                await asyncio.sleep(LOOK_EVERY_S)
    notes = [row for row in await _all(db.notifications, Notification) if row.state == RECORDED]
    rows = Rows(
        orders=await _all(db.orders, Order),
        verdicts={row.order_id: row for row in await _all(db.payments, Verdict)},
        reservations={row.order_id: row for row in await _all(db.inventory, Reservation)},
        notified=Counter(row.order_id for row in notes),
        articles=await _all(db.inventory, Article),
    )
    found = [
        {"kind": "wrong", "subject": str(subject), "detail": detail}
        for subject, detail in chain(_of_orders(rows), _of_stock(rows))
    ]
    statuses = Counter(order.status for order in rows.orders)
    return {"clean": not found, "orders": dict(sorted(statuses.items())), "violations": found}


def _of_orders(rows: Rows) -> Iterator[tuple[UUID, str]]:
    """Placed if and only if paid and stock taken, for the same amount; notified once, or never."""
    for order in rows.orders:
        subject = order.order_id
        verdict, held = rows.verdicts.get(subject), rows.reservations.get(subject)
        placed, notified = order.status == PLACED, rows.notified[subject]
        paid = verdict is not None and verdict.outcome == CAPTURED
        taken = held is not None and held.state == COMMITTED
        if order.status == PENDING:
            yield subject, "the order is pending"
        if not placed == paid == taken:
            yield subject, f"placed {placed}, paid {paid}, stock taken {taken}"
        if held is not None and held.state == OPEN:
            yield subject, "stock is held"
        if notified != placed:
            yield subject, f"{order.status}, and notified {notified} times"
        if verdict is not None and held is not None and taken:
            amounts = order.total_minor, verdict.amount_minor, total(held.lines)
            if len(set(amounts)) > 1:
                yield subject, f"total, charge and sum of the prices are {amounts}"


def _of_stock(rows: Rows) -> Iterator[tuple[str, str]]:
    """What came in is free or taken."""
    gone = Counter[str]()
    for held in rows.reservations.values():
        if held.state != RELEASED:
            gone.update({line["sku"]: line["quantity"] for line in held.lines})
    for article in rows.articles:
        if article.received != article.stock + gone[article.sku]:
            yield (
                article.sku,
                f"{article.received} received, {article.stock} free, {gone[article.sku]} taken",
            )


async def _under_way(db: Databases) -> bool:
    async with db.orders() as session:
        pending = await session.scalar(select(Order.order_id).where(Order.status == PENDING))
        unsent = await session.scalar(select(Event.event_id).where(Event.sent_at.is_(None)))
    return pending is not None or unsent is not None


async def _all(sessions: Any, model: Any) -> list[Any]:
    async with sessions() as session:
        return list(await session.scalars(select(model)))
