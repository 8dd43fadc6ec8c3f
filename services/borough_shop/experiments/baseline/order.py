"""An order in one transaction: no row that it reads changes before it is committed."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, update

from borough import deadline
from borough.errors import Invalid
from borough.outbox import SqlOutbox
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Result, Rows, Statement
from borough_shop.errors import KeyReused, OutOfStock, UnknownSku
from borough_shop.inventory.domain import out_of_stock, priced
from borough_shop.inventory.store import SqlStock, shelf
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.domain import compose
from borough_shop.notifications.store import notifications
from borough_shop.orders import domain, signals
from borough_shop.orders.contract import Order, OrderStatus, Placement, PlaceOrder
from borough_shop.orders.domain import Refusal
from borough_shop.orders.service import OrdersService
from borough_shop.orders.store import SqlOrders, orders
from borough_shop.payments.contract import Charge, Outcome
from borough_shop.payments.domain import decide
from borough_shop.payments.service import PaymentsService
from borough_shop.payments.store import SqlVerdicts
from borough_shop.profiles.store import SqlProfiles
from borough_shop.values import PricedLine, total_of

_TAKE = Statement(
    update(shelf)
    .where(shelf.c.sku == bindparam("article"))
    .values(stock=shelf.c.stock - bindparam("quantity"))
    .returning(shelf.c.sku)
)
_PLACE = Statement(
    update(orders)
    .where(orders.c.order_id == bindparam("id"))
    .values(
        status=OrderStatus.PLACED,
        lines=bindparam("priced"),
        total_minor=bindparam("minor"),
        currency=bindparam("of"),
        settled_at=bindparam("at"),
    )
)
_NOTIFY = Statement(insert(notifications))

T = TypeVar("T")


class Joined(Database):
    """A database that runs every transaction of the shop's stores within the open one."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def execute(self, statement: Statement, /, **values: Any) -> Result:
        return await self._tx.execute(statement, **values)

    async def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> Rows:
        return await self._tx.execute_many(statement, rows)

    async def transaction(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        return await work(self._tx)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTransaction(OrdersService):
    """The shipped orders, except that an order is placed in one transaction."""

    payments: PaymentsService
    database: Database
    outbox: SqlOutbox

    async def place(self, request: PlaceOrder) -> Placement:
        """Place in one transaction, which excludes every other, also while PBKDF2 runs (the bill
        measures without it).
        """
        now = self.clock.now()
        order = domain.new_order(request, self.clock.new_id(), now)
        print_ = domain.fingerprint(request.basket)
        with deadline.within(self.patience.order) as left:
            until = now + timedelta(seconds=left)
            trace = self.telemetry.traceparent()

            async def place(tx: Transaction) -> Placement:
                begun = await SqlOrders(Joined(tx), self.outbox).begin(
                    order, request.key, print_, until, trace
                )
                if begun.fingerprint != print_:
                    raise KeyReused(f"Idempotency-Key {request.key!r} stands for another basket")
                if not begun.fresh:
                    return Placement(order=begun.order, replayed=True)
                return Placement(order=await self._sell(tx, order, now), replayed=False)

            placement = await self.database.transaction(place)
        if not placement.replayed:
            sold = placement.order
            self.telemetry.count(signals.ORDERS, outcome=sold.status, reason=sold.reason or "")
        return placement

    async def _sell(self, tx: Transaction, order: Order, now: datetime) -> Order:
        """The settled order. Every refusal is decided before stock or verdict are written."""
        joined = Joined(tx)

        async def reject(why: Refusal) -> Order:
            return (await SqlOrders(joined, self.outbox).reject(order.order_id, why, now)).order

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
        await SqlVerdicts(joined).decide(verdict, self.payments.digest(token), now)
        if verdict.outcome is not Outcome.CAPTURED:
            return await reject(domain.refusal_of(verdict))
        taken = [{"article": line.sku, "quantity": line.quantity} for line in lines]
        await tx.execute_many(_TAKE, taken)
        return await self._place(tx, order, lines)

    async def _place(self, tx: Transaction, order: Order, lines: tuple[PricedLine, ...]) -> Order:
        """The placed order; writes it and its notification."""
        event = domain.placed_event(order, lines, self.clock.new_id(), self.clock.now())
        await tx.execute(
            _PLACE,
            id=order.order_id,
            priced=event.lines,
            minor=event.total.minor,
            of=event.total.currency,
            at=event.placed_at,
        )
        notification = Notification(
            event_id=event.event_id,
            order_id=order.order_id,
            customer_id=order.customer_id,
            state=NotificationState.RECORDED,
            failed_tries=0,
            text=compose(event),
            updated_at=event.placed_at,
        )
        await tx.execute(_NOTIFY, **notification.model_dump())
        return order.model_copy(
            update={
                "status": OrderStatus.PLACED,
                "lines": event.lines,
                "total": event.total,
                "settled_at": event.placed_at,
            }
        )


async def _priced(joined: Database, order: Order) -> tuple[PricedLine, ...]:
    """The lines at today's prices. Raises UnknownSku, Invalid, and OutOfStock."""
    articles = {article.sku: article for article in await SqlStock(joined).articles()}
    lines = priced(order.basket.lines, articles)
    for line in lines:
        if articles[line.sku].stock < line.quantity:
            raise out_of_stock(line)
    return lines
