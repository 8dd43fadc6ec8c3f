"""Does the auditor find each kind of wrong, and keep silent where all is well?"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from borough.audit import GRACE, RESTLESS, UNSENT, Books, drained, examine, judge
from borough.testing.clock import MORNING, ManualClock
from borough.testing.simulation import memory_stores
from borough_shop.app import APP
from borough_shop.inventory import laws as stock
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article
from borough_shop.inventory.laws import StockBooks
from borough_shop.notifications import laws as telling
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.orders import laws as settling
from borough_shop.orders.contract import Order, OrderStatus, Reason
from borough_shop.orders.domain import ABANDONED, OrderRecord, placed_event
from borough_shop.payments import laws as deciding
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.values import Basket, Money, PricedLine

if TYPE_CHECKING:
    from borough_shop.orders.memory import MemoryOrders

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
    (with_rows("verdicts", CAPTURED), {deciding.DECIDED_TWICE}),
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
]


def test_clean_books_are_not_complained_about() -> None:
    """Placed and paid, rejected and undone, or in flight within the horizon: all is well."""
    assert judge(APP, books(CLEAN)) == ()


def test_a_parked_event_counts_as_told() -> None:
    """Parking is a final answer that people look after, not a lost event."""
    parked = with_change("notifications", 0, told(1, NotificationState.PARKED))
    assert judge(APP, parked) == ()


@pytest.mark.parametrize(("planted", "kinds"), PLANTED)
def test_a_planted_violation_is_found(planted: Books, kinds: set[str]) -> None:
    """Each planted wrong is called by its name, and nothing else is accused."""
    assert {violation.kind for violation in judge(APP, planted)} == kinds


def test_an_order_pending_beyond_the_horizon_is_found() -> None:
    """One moment past deadline and horizon an order in flight is overdue, and its stock is held."""
    late = books(CLEAN, now=NOW + timedelta(microseconds=1))
    kinds = {violation.kind for violation in judge(APP, late)}
    assert kinds == {settling.OVERDUE, settling.STILL_OPEN}


def test_every_kind_has_been_planted() -> None:
    """A new kind of violation comes with the books that show it."""
    planted = set[str]().union(*(kinds for _, kinds in PLANTED))
    kinds = {
        value
        for module in (settling, stock, deciding, telling)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert kinds - planted == {settling.OVERDUE}


def test_a_violation_names_its_subject_in_one_line() -> None:
    """The command line prints it as it is."""
    (violation,) = judge(APP, with_change("verdicts", 0, VOIDED))
    assert str(violation) == (
        f"placed-but-not-captured: {PLACED}: the order is placed, its money is voided"
    )


class Shop:
    """Stores with one order PENDING, and the clock the drain waits by."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stores = memory_stores(APP)
        self.orders: MemoryOrders = self.stores["orders"]

    async def begin(self) -> Order:
        """The order, with two seconds to its deadline."""
        pending = order(PENDING, OrderStatus.PENDING).order
        await self.orders.begin(pending, "key", "print", DEADLINE)
        return pending

    async def turn_until(self, condition: Callable[[], bool]) -> None:
        """Let others go on until it holds; bounded, since the clock stands still."""
        for _ in range(100):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came about")


async def test_a_drain_waits_for_pending_orders_and_then_for_the_outbox() -> None:
    """Books are at rest once no order is PENDING and no event is unsent; not one of the two."""
    shop = Shop()
    pending = await shop.begin()
    waiting = asyncio.create_task(drained(APP, shop.stores, shop.clock, HORIZON))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)

    event = placed_event(pending, LINES, UUID(int=9), MORNING)
    await shop.orders.place(event)
    shop.clock.advance(1)
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not waiting.done()

    await shop.orders.outbox.sent("notifications", [event.event_id], MORNING)
    shop.clock.advance(1)
    assert await waiting


async def test_a_drain_that_takes_too_long_is_a_violation() -> None:
    """Past deadline, horizon and grace the audit fails: it never waits for ever."""
    shop = Shop()
    await shop.begin()
    auditing = asyncio.create_task(examine(APP, shop.stores, shop.clock, HORIZON, wait=True))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    shop.clock.advance((DEADLINE - MORNING + HORIZON + GRACE).total_seconds())
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not auditing.done()

    shop.clock.advance(0.1)
    report = await auditing
    assert {violation.kind for violation in report.violations} == {RESTLESS, settling.OVERDUE}


async def test_an_audit_without_waiting_judges_what_is_there() -> None:
    """`--no-wait` looks at a shop in use: an order within its horizon is no violation."""
    shop = Shop()
    pending = await shop.begin()
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=False)).clean
    await shop.orders.reject(pending.order_id, ABANDONED, MORNING)
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=True)).clean
