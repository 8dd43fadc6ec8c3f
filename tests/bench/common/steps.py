"""The steps of an order: each a function with one session and one transaction, except those of the
relay, which stand in `relay`.

The rules are those of `borough`: an order stands once for each customer and key, stock is held
before money is taken, the first verdict holds, an order is settled where it is pending, and
the event is written in the transaction that places it.
"""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from opentelemetry import propagate
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from bench.common.databases import Databases
from bench.common.models import (
    CAPTURED,
    COMMITTED,
    DECLINED,
    OPEN,
    PENDING,
    PLACED,
    REJECTED,
    RELEASED,
    VOIDED,
    Article,
    Event,
    Order,
    Profile,
    Reservation,
    Verdict,
)

DECLINED_PREFIX = "tok_declined"
SALT = b"common.payments.v1"

Line = dict[str, Any]


class Refused(Exception):
    """An order that cannot be; the message is the reason."""


class SettledOtherwise(Exception):
    """Stock is committed after its release, or released after its commit: must never happen."""


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def new_order(customer_id: str, key: str, basket: list[Line], patience: timedelta) -> Order:
    """Pending, with the trace of the request."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    moment = now()
    return Order(
        order_id=uuid4(),
        customer_id=customer_id,
        key=key,
        fingerprint=hashlib.sha256(json.dumps(basket).encode()).hexdigest(),
        status=PENDING,
        basket=basket,
        created_at=moment,
        deadline=moment + patience,
        trace=carrier.get("traceparent"),
    )


async def begin(db: Databases, order: Order) -> tuple[Order, bool]:
    """The order that stands under this customer's key, and whether it is this one."""
    try:
        async with db.orders.begin() as session:
            session.add(order)
    except IntegrityError:
        stands = select(Order).where(Order.customer_id == order.customer_id, Order.key == order.key)
        async with db.orders() as session:
            return (await session.scalars(stands)).one(), False
    return order, True


async def profile_of(db: Databases, customer_id: str) -> Profile:
    """Raises Refused."""
    async with db.profiles() as session:
        profile = await session.get(Profile, customer_id)
    if profile is None:
        raise Refused("profile-missing")
    return profile


async def reserve(db: Databases, order_id: UUID, basket: list[Line]) -> list[Line]:
    """Hold all lines or none, and answer them priced. Raises Refused."""
    async with db.inventory.begin() as session:
        known = await session.get(Reservation, order_id)
        if known is not None:
            if known.state == RELEASED:
                raise Refused("abandoned")
            return known.lines
        wanted = {line["sku"]: line["quantity"] for line in basket}
        found = await session.scalars(select(Article).where(Article.sku.in_(wanted)))
        prices = {article.sku: article for article in found}
        if wanted.keys() - prices.keys():
            raise Refused("unknown-sku")
        lines = [
            {
                "sku": sku,
                "quantity": wanted[sku],
                "price": {"minor": prices[sku].price_minor, "currency": prices[sku].currency},
            }
            for sku in sorted(wanted)
        ]
        session.add(Reservation(order_id=order_id, state=OPEN, lines=lines, changed_at=now()))
        for sku in sorted(wanted):
            taken = await session.execute(
                update(Article)
                .where(Article.sku == sku, Article.stock >= wanted[sku])
                .values(stock=Article.stock - wanted[sku])
                .execution_options(synchronize_session=False)
            )
            if not taken.rowcount:  # type: ignore[attr-defined]  # of any UPDATE
                raise Refused("out-of-stock")
    return lines


async def charge(
    db: Databases, order_id: UUID, lines: list[Line], card_token: str, iterations: int
) -> str:
    """The outcome that holds."""
    async with db.payments() as session:
        known = await session.get(Verdict, order_id)
    if known is not None:
        return known.outcome
    declined = card_token.startswith(DECLINED_PREFIX)
    return await _decide(
        db,
        Verdict(
            order_id=order_id,
            outcome=DECLINED if declined else CAPTURED,
            amount_minor=None if declined else total(lines),
            token_digest=await _stretch(card_token, iterations),
            decided_at=now(),
        ),
    )


async def void(db: Databases, order_id: UUID) -> str:
    """The outcome that holds; VOIDED where none did."""
    verdict = Verdict(order_id=order_id, outcome=VOIDED, token_digest="", decided_at=now())
    return await _decide(db, verdict)


async def commit(db: Databases, order_id: UUID) -> list[Line]:
    """Take what is held for good, and answer it. Raises SettledOtherwise."""
    async with db.inventory.begin() as session:
        held = await session.get(Reservation, order_id, with_for_update=True)
        if held is None or held.state == RELEASED:
            raise SettledOtherwise(f"order {order_id} holds no stock that could be committed")
        held.state, held.changed_at = COMMITTED, now()
        return held.lines


async def release(db: Databases, order_id: UUID) -> None:
    """Give back what is held, or leave a tombstone. Raises SettledOtherwise."""
    async with db.inventory.begin() as session:
        held = await session.get(Reservation, order_id, with_for_update=True)
        if held is None:
            session.add(Reservation(order_id=order_id, state=RELEASED, lines=[], changed_at=now()))
            return
        if held.state == COMMITTED:
            raise SettledOtherwise(f"the stock of order {order_id} is committed")
        if held.state == RELEASED:
            return
        held.state, held.changed_at = RELEASED, now()
        for line in held.lines:
            await session.execute(
                update(Article)
                .where(Article.sku == line["sku"])
                .values(stock=Article.stock + line["quantity"])
            )


async def place(db: Databases, order: Order, lines: list[Line]) -> None:
    """Where it is pending: placed, and its event in the outbox."""
    moment, amount = now(), total(lines)
    currency = lines[0]["price"]["currency"]
    event_id = uuid4()
    event = {
        "event_id": str(event_id),
        "order_id": str(order.order_id),
        "customer_id": order.customer_id,
        "lines": lines,
        "total": {"minor": amount, "currency": currency},
        "placed_at": moment.isoformat(),
    }
    async with db.orders.begin() as session:
        settled = await session.execute(
            update(Order)
            .where(Order.order_id == order.order_id, Order.status == PENDING)
            .values(
                status=PLACED, lines=lines, total_minor=amount, currency=currency,
                settled_at=moment,
            )
            .execution_options(synchronize_session=False)
        )  # fmt: skip  # the change at a glance
        if settled.rowcount:  # type: ignore[attr-defined]  # of any UPDATE
            session.add(Event(event_id=event_id, event=event, trace=order.trace, due_at=moment))
    order.status, order.lines, order.settled_at = PLACED, lines, moment
    order.total_minor, order.currency = amount, currency


async def reject(db: Databases, order: Order, reason: str) -> None:
    """Where it is pending: rejected."""
    moment = now()
    async with db.orders.begin() as session:
        await session.execute(
            update(Order)
            .where(Order.order_id == order.order_id, Order.status == PENDING)
            .values(status=REJECTED, reason=reason, settled_at=moment)
            .execution_options(synchronize_session=False)
        )
    order.status, order.reason, order.settled_at = REJECTED, reason, moment


def total(lines: list[Line]) -> int:
    """The sum, in cents."""
    return sum(line["price"]["minor"] * line["quantity"] for line in lines)


async def _decide(db: Databases, verdict: Verdict) -> str:
    """The first writer's outcome."""
    try:
        async with db.payments.begin() as session:
            session.add(verdict)
    except IntegrityError:
        async with db.payments() as session:
            return (await session.get_one(Verdict, verdict.order_id)).outcome
    return verdict.outcome


async def _stretch(card_token: str, iterations: int) -> str:
    if not iterations:
        return hashlib.sha256(SALT + card_token.encode()).hexdigest()
    digest = await asyncio.to_thread(
        hashlib.pbkdf2_hmac, "sha256", card_token.encode(), SALT, iterations
    )
    return digest.hex()
