"""Books of the shop in which all is well, and books with a breach of each of its laws."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from borough.audit import UNSENT, Books
from borough.testing.clock import MORNING
from borough_shop.inventory import laws as stock
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article
from borough_shop.inventory.laws import StockBooks
from borough_shop.notifications import laws as telling
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.orders import laws as settling
from borough_shop.orders.contract import Order, OrderStatus, Reason
from borough_shop.orders.domain import OrderRecord
from borough_shop.payments import laws as deciding
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.values import Basket, Money, PricedLine

PLACED, REJECTED, PENDING, STRANGER = (UUID(int=number) for number in range(1, 5))
HORIZON = timedelta(seconds=5)
DEADLINE = MORNING + timedelta(seconds=2)
NOW = DEADLINE + HORIZON
PRICE = Money(minor=250, currency="EUR")
LINES = (PricedLine(sku="espresso", quantity=2, price=PRICE),)


def order(order_id: UUID, status: OrderStatus, **more: Any) -> OrderRecord:
    """Two espressos by ada."""
    basket = Basket.of(espresso=2)
    values = {"order_id": order_id, "customer_id": "ada", "status": status, "basket": basket}
    return OrderRecord(Order(**values, created_at=MORNING, **more), DEADLINE)


def told(event: int, state: NotificationState, order_id: UUID = PLACED) -> Notification:
    """A row of notifications."""
    return Notification(
        event_id=UUID(int=event),
        order_id=order_id,
        customer_id="ada",
        state=state,
        failed_tries=0,
        text="",
        updated_at=MORNING,
    )


def reservation(order_id: UUID, state: ReservationState, *lines: PricedLine) -> Reservation:
    """A row of inventory."""
    return Reservation(order_id=order_id, state=state, lines=lines)


CAPTURED = Verdict(order_id=PLACED, outcome=Outcome.CAPTURED, amount=PRICE.times(2))
COMMITTED = reservation(PLACED, ReservationState.COMMITTED, *LINES)
TOLD = told(1, NotificationState.RECORDED)
CLEAN: Mapping[str, tuple[Any, ...]] = {
    "orders": (
        order(PLACED, OrderStatus.PLACED, lines=LINES, total=PRICE.times(2)),
        order(REJECTED, OrderStatus.REJECTED, reason=Reason.ABANDONED, detail=""),
        order(PENDING, OrderStatus.PENDING),
    ),
    "verdicts": (CAPTURED, Verdict(order_id=REJECTED, outcome=Outcome.VOIDED)),
    "reservations": (
        COMMITTED,
        reservation(REJECTED, ReservationState.RELEASED),
        reservation(PENDING, ReservationState.OPEN, *LINES),
    ),
    "articles": (Article("espresso", "Espresso", PRICE, stock=6, received=10),),
    "notifications": (TOLD,),
}
"""One order placed, one rejected with its tombstone, and one in flight within its horizon."""


def books(rows: Mapping[str, tuple[Any, ...]], unsent: int = 0, now: datetime = NOW) -> Books:
    """The books of every capability, of these rows."""
    return Books(
        of={
            "orders": rows["orders"],
            "payments": rows["verdicts"],
            "inventory": StockBooks(rows["reservations"], rows["articles"]),
            "notifications": rows["notifications"],
        },
        unsent={"orders": unsent},
        now=now,
        horizon=HORIZON,
    )


def with_rows(book: str, *rows: object) -> Books:
    """The clean books with rows added."""
    return books({**CLEAN, book: (*CLEAN[book], *rows)})


def with_change(book: str, index: int, row: object) -> Books:
    """The clean books with one row replaced, or removed where it is None."""
    rows = list(CLEAN[book])
    rows[index : index + 1] = [] if row is None else [row]
    return books({**CLEAN, book: tuple(rows)})


def with_placed(**changes: object) -> Books:
    """The clean books with another placed order."""
    record = CLEAN["orders"][0]
    return with_change("orders", 0, replace(record, order=record.order.model_copy(update=changes)))


def with_article(**changes: Any) -> Books:
    """The clean books with other stock."""
    return with_change("articles", 0, replace(CLEAN["articles"][0], **changes))


ONE = PRICE.times(1)
THREE = (PricedLine(sku="espresso", quantity=3, price=PRICE),)
VOIDED = Verdict(order_id=PLACED, outcome=Outcome.VOIDED)

PLANTED: list[tuple[Books, set[str]]] = [
    (with_change("verdicts", 0, None), {settling.UNPAID}),
    (with_change("verdicts", 0, VOIDED), {settling.UNPAID}),
    (with_change("reservations", 0, None), {settling.UNTAKEN, stock.UNBALANCED}),
    (
        with_change("reservations", 0, reservation(PLACED, ReservationState.OPEN, *LINES)),
        {settling.UNTAKEN, settling.STILL_OPEN},
    ),
    (
        with_change("reservations", 0, reservation(PLACED, ReservationState.COMMITTED)),
        {settling.WRONG_AMOUNT, settling.WRONG_LINES, stock.UNBALANCED},
    ),
    (
        with_change("verdicts", 1, CAPTURED.model_copy(update={"order_id": REJECTED})),
        {settling.LOST_MONEY, settling.WRONG_AMOUNT},
    ),
    (
        with_change("reservations", 1, reservation(REJECTED, ReservationState.COMMITTED, *LINES)),
        {settling.LOST_STOCK, stock.UNBALANCED},
    ),
    (
        with_change("reservations", 1, reservation(REJECTED, ReservationState.OPEN, *LINES)),
        {settling.STILL_OPEN, stock.UNBALANCED},
    ),
    (with_rows("reservations", COMMITTED), {stock.RESERVED_TWICE, stock.UNBALANCED}),
    (
        with_change("verdicts", 0, CAPTURED.model_copy(update={"amount": ONE})),
        {settling.WRONG_AMOUNT},
    ),
    (with_placed(total=ONE), {settling.WRONG_AMOUNT}),
    (with_placed(lines=THREE), {settling.WRONG_LINES}),
    (with_placed(basket=Basket.of(espresso=3)), {settling.WRONG_LINES}),
    (with_article(stock=-2, received=2), {stock.OVERSOLD}),
    (with_article(stock=7), {stock.UNBALANCED}),
    (with_article(received=11), {stock.UNBALANCED}),
    (with_change("notifications", 0, None), {telling.UNTOLD}),
    (with_change("notifications", 0, told(1, NotificationState.PENDING)), {telling.UNTOLD}),
    (with_rows("notifications", told(2, NotificationState.PARKED)), {telling.TOLD_TWICE}),
    (
        with_rows("notifications", told(2, NotificationState.RECORDED, REJECTED)),
        {telling.TOLD_WRONGLY},
    ),
    (books(CLEAN, unsent=1), {UNSENT}),
    (
        with_rows("verdicts", VOIDED.model_copy(update={"order_id": STRANGER})),
        {settling.UNKNOWN_ORDER},
    ),
    (
        with_rows("reservations", reservation(STRANGER, ReservationState.RELEASED)),
        {settling.UNKNOWN_ORDER},
    ),
    (
        with_rows("notifications", told(2, NotificationState.RECORDED, STRANGER)),
        {settling.UNKNOWN_ORDER},
    ),
    (books(CLEAN, now=NOW + timedelta(microseconds=1)), {settling.OVERDUE, settling.STILL_OPEN}),
    (with_rows("verdicts", CAPTURED), {deciding.DECIDED_TWICE}),
]
