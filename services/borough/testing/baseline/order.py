"""An order in one transaction: everything it reads holds, and all it writes stands, or nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from borough.contracts.errors import Invalid, KeyReused, OutOfStock, UnknownSku
from borough.contracts.notifications import Notification, NotificationState
from borough.contracts.orders import Order, OrderStatus, Placement, PlaceOrder
from borough.contracts.payments import Charge, Outcome
from borough.contracts.values import PricedLine, total_of
from borough.inventory.domain import out_of_stock, priced
from borough.inventory.store import SqlStock, shelf
from borough.kit import deadline, signals
from borough.kit.sql import Database, insert
from borough.notifications.domain import compose
from borough.notifications.store import notifications
from borough.orders import domain
from borough.orders.domain import Refusal
from borough.orders.service import OrdersService
from borough.orders.store import SqlOrders, orders
from borough.payments.domain import decide
from borough.payments.service import PaymentsService
from borough.payments.store import SqlVerdicts
from borough.profiles.store import SqlProfiles


class Joined(Database):
    """A database whose every transaction is one that is open already: the stores, as they are, work
    within it.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        yield self._connection

    write = read


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTransaction(OrdersService):
    """Orders as shipped, but for how one is placed."""

    payments: PaymentsService
    database: Database

    async def place(self, request: PlaceOrder) -> Placement:
        """One transaction, which shuts out every other: what was read in it holds until its end.

        With PBKDF2 it is held while the card token is stretched; the bill measures without.
        """
        now = self.clock.now()
        order = domain.new_order(request, self.clock.new_id(), now)
        print_ = domain.fingerprint(request.basket)
        with deadline.within(self.patience.order) as left:
            async with self.database.write() as connection:
                begun = await SqlOrders(Joined(connection)).begin(
                    order,
                    request.key,
                    print_,
                    deadline=now + timedelta(seconds=left),
                    trace=self.telemetry.traceparent(),
                )
                if begun.fingerprint != print_:
                    raise KeyReused(f"Idempotency-Key {request.key!r} stands for another basket")
                if not begun.fresh:
                    return Placement(order=begun.order, replayed=True)
                order = await self._sell(connection, order, now)
        self.telemetry.count(signals.ORDERS, outcome=order.status, reason=order.reason or "")
        return Placement(order=order, replayed=False)

    async def _sell(self, connection: AsyncConnection, order: Order, now: datetime) -> Order:
        """The order, settled. Whatever refuses it is found out before stock or money move."""
        joined = Joined(connection)

        async def reject(why: Refusal) -> Order:
            return (await SqlOrders(joined).reject(order.order_id, why, now)).order

        profile = await SqlProfiles(joined).get(order.customer_id)
        if profile is None:
            return await reject(domain.NO_PROFILE)
        try:
            lines = await _priced(joined, order)
        except (OutOfStock, UnknownSku, Invalid) as error:
            return await reject(domain.refusal(error))
        token = profile.card_token
        charge = Charge(order_id=order.order_id, amount=total_of(lines), card_token=token)
        verdict = decide(charge)
        await SqlVerdicts(joined).decide(verdict, await self.payments.stretch(token), now)
        if verdict.outcome is not Outcome.CAPTURED:
            return await reject(domain.refusal_of(verdict))
        for line in lines:
            left = shelf.c.stock - line.quantity
            await connection.execute(
                update(shelf).where(shelf.c.sku == line.sku).values(stock=left)
            )
        return await self._place(connection, order, lines)

    async def _place(
        self, connection: AsyncConnection, order: Order, lines: tuple[PricedLine, ...]
    ) -> Order:
        """The order is placed, and its customer told."""
        event = domain.placed_event(order, lines, self.clock.new_id(), self.clock.now())
        settled = {
            "status": OrderStatus.PLACED,
            "lines": event.lines,
            "settled_at": event.placed_at,
        }
        await connection.execute(
            update(orders)
            .where(orders.c.order_id == order.order_id)
            .values(**settled, total_minor=event.total.minor, currency=event.total.currency)
        )
        told = Notification(
            event_id=event.event_id,
            order_id=order.order_id,
            customer_id=order.customer_id,
            state=NotificationState.RECORDED,
            failed_tries=0,
            text=compose(event),
            updated_at=event.placed_at,
        )
        await connection.execute(insert(connection, notifications).values(told.model_dump()))
        return order.model_copy(update={**settled, "total": event.total})


async def _priced(joined: Database, order: Order) -> tuple[PricedLine, ...]:
    """The lines at today's prices. Raises UnknownSku, Invalid, and OutOfStock."""
    articles = {article.sku: article for article in await SqlStock(joined).articles()}
    lines = priced(order.basket.lines, articles)
    for line in lines:
        if articles[line.sku].stock < line.quantity:
            raise out_of_stock(line)
    return lines
