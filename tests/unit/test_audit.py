"""Does the auditor find each kind of wrong, and keep silent where all is well?"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from borough.testing.clock import MORNING, ManualClock
from borough_shop.audit import GRACE, Books, Kind, Stores, audit, drained, examine
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article
from borough_shop.inventory.memory import MemoryStock
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.orders.contract import Order, OrderStatus, Reason
from borough_shop.orders.domain import ABANDONED, OrderRecord, placed_event
from borough_shop.orders.memory import MemoryOrders
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.memory import MemoryVerdicts
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
CLEAN = Books(
    orders=(
        order(PLACED, OrderStatus.PLACED, lines=LINES, total=PRICE.times(2)),
        order(REJECTED, OrderStatus.REJECTED, reason=Reason.ABANDONED, detail=""),
        order(PENDING, OrderStatus.PENDING),
    ),
    verdicts=(CAPTURED, Verdict(order_id=REJECTED, outcome=Outcome.VOIDED)),
    reservations=(
        COMMITTED,
        reservation(REJECTED, ReservationState.RELEASED),
        reservation(PENDING, ReservationState.OPEN, *LINES),
    ),
    articles=(Article("espresso", "Espresso", PRICE, stock=6, received=10),),
    notifications=(TOLD,),
)
"""One order placed, one rejected with its tombstone, and one in flight within its horizon."""


def with_rows(book: str, *rows: object) -> Books:
    """The clean books with rows added."""
    added: dict[str, Any] = {book: (*getattr(CLEAN, book), *rows)}
    return replace(CLEAN, **added)


def with_change(book: str, index: int, row: object) -> Books:
    """The clean books with one row replaced, or removed where it is None."""
    rows = list(getattr(CLEAN, book))
    rows[index : index + 1] = [] if row is None else [row]
    changed: dict[str, Any] = {book: tuple(rows)}
    return replace(CLEAN, **changed)


def with_placed(**changes: object) -> Books:
    """The clean books with another placed order."""
    record = CLEAN.orders[0]
    return with_change("orders", 0, replace(record, order=record.order.model_copy(update=changes)))


def with_article(**changes: Any) -> Books:
    """The clean books with other stock."""
    return with_change("articles", 0, replace(CLEAN.articles[0], **changes))


ONE = PRICE.times(1)
THREE = (PricedLine(sku="espresso", quantity=3, price=PRICE),)
VOIDED = Verdict(order_id=PLACED, outcome=Outcome.VOIDED)

PLANTED: list[tuple[Books, set[Kind]]] = [
    (with_change("verdicts", 0, None), {Kind.UNPAID}),
    (with_change("verdicts", 0, VOIDED), {Kind.UNPAID}),
    (with_change("reservations", 0, None), {Kind.UNTAKEN, Kind.UNBALANCED}),
    (
        with_change("reservations", 0, reservation(PLACED, ReservationState.OPEN, *LINES)),
        {Kind.UNTAKEN, Kind.STILL_OPEN},
    ),
    (
        with_change("reservations", 0, reservation(PLACED, ReservationState.COMMITTED)),
        {Kind.WRONG_AMOUNT, Kind.WRONG_LINES, Kind.UNBALANCED},
    ),
    (
        with_change("verdicts", 1, CAPTURED.model_copy(update={"order_id": REJECTED})),
        {Kind.LOST_MONEY, Kind.WRONG_AMOUNT},
    ),
    (
        with_change("reservations", 1, reservation(REJECTED, ReservationState.COMMITTED, *LINES)),
        {Kind.LOST_STOCK, Kind.UNBALANCED},
    ),
    (
        with_change("reservations", 1, reservation(REJECTED, ReservationState.OPEN, *LINES)),
        {Kind.STILL_OPEN, Kind.UNBALANCED},
    ),
    (with_rows("verdicts", CAPTURED), {Kind.DECIDED_TWICE}),
    (with_rows("reservations", COMMITTED), {Kind.RESERVED_TWICE, Kind.UNBALANCED}),
    (
        with_change("verdicts", 0, CAPTURED.model_copy(update={"amount": ONE})),
        {Kind.WRONG_AMOUNT},
    ),
    (with_placed(total=ONE), {Kind.WRONG_AMOUNT}),
    (with_placed(lines=THREE), {Kind.WRONG_LINES}),
    (with_placed(basket=Basket.of(espresso=3)), {Kind.WRONG_LINES}),
    (with_article(stock=-2, received=2), {Kind.OVERSOLD}),
    (with_article(stock=7), {Kind.UNBALANCED}),
    (with_article(received=11), {Kind.UNBALANCED}),
    (with_change("notifications", 0, None), {Kind.UNTOLD}),
    (with_change("notifications", 0, told(1, NotificationState.PENDING)), {Kind.UNTOLD}),
    (with_rows("notifications", told(2, NotificationState.PARKED)), {Kind.TOLD_TWICE}),
    (
        with_rows("notifications", told(2, NotificationState.RECORDED, REJECTED)),
        {Kind.TOLD_WRONGLY},
    ),
    (replace(CLEAN, unsent=1), {Kind.UNSENT}),
    (
        with_rows("verdicts", VOIDED.model_copy(update={"order_id": STRANGER})),
        {Kind.UNKNOWN_ORDER},
    ),
    (
        with_rows("reservations", reservation(STRANGER, ReservationState.RELEASED)),
        {Kind.UNKNOWN_ORDER},
    ),
    (
        with_rows("notifications", told(2, NotificationState.RECORDED, STRANGER)),
        {Kind.UNKNOWN_ORDER},
    ),
]


def test_clean_books_are_not_complained_about() -> None:
    """Placed and paid, rejected and undone, or in flight within the horizon: all is well."""
    assert audit(CLEAN, NOW, HORIZON) == ()


def test_a_parked_event_counts_as_told() -> None:
    """Parking is a final answer that people look after, not a lost event."""
    books = with_change("notifications", 0, told(1, NotificationState.PARKED))
    assert audit(books, NOW, HORIZON) == ()


@pytest.mark.parametrize(("books", "kinds"), PLANTED)
def test_a_planted_violation_is_found(books: Books, kinds: set[Kind]) -> None:
    """Each planted wrong is called by its name, and nothing else is accused."""
    assert {violation.kind for violation in audit(books, NOW, HORIZON)} == kinds


def test_an_order_pending_beyond_the_horizon_is_found() -> None:
    """One moment past deadline and horizon an order in flight is overdue, and its stock is held."""
    kinds = {v.kind for v in audit(CLEAN, NOW + timedelta(microseconds=1), HORIZON)}
    assert kinds == {Kind.OVERDUE, Kind.STILL_OPEN}


def test_every_kind_has_been_planted() -> None:
    """A new kind of violation comes with the books that show it."""
    planted = set[Kind]().union(*(kinds for _, kinds in PLANTED))
    assert set(Kind) - planted == {Kind.OVERDUE, Kind.RESTLESS}


def test_a_violation_names_its_subject_in_one_line() -> None:
    """The command line prints it as it is."""
    (violation,) = audit(with_change("verdicts", 0, VOIDED), NOW, HORIZON)
    assert str(violation) == (
        f"placed-but-not-captured: {PLACED}: the order is placed, its money is voided"
    )


class Shop:
    """Stores with one order PENDING, and the clock the drain waits by."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.orders = MemoryOrders()
        self.stores = Stores(
            orders=self.orders,
            outbox=self.orders.outbox,
            verdicts=MemoryVerdicts(),
            stock=MemoryStock(),
            notifications=MemoryNotifications(),
        )

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
    waiting = asyncio.create_task(drained(shop.stores, shop.clock, HORIZON))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)

    event = placed_event(pending, LINES, UUID(int=9), MORNING)
    await shop.orders.place(event)
    shop.clock.advance(1)
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not waiting.done()

    await shop.orders.outbox.sent([event.event_id], MORNING)
    shop.clock.advance(1)
    assert await waiting


async def test_a_drain_that_takes_too_long_is_a_violation() -> None:
    """Past deadline, horizon and grace the audit fails: it never waits for ever."""
    shop = Shop()
    await shop.begin()
    auditing = asyncio.create_task(examine(shop.stores, shop.clock, HORIZON, wait=True))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    shop.clock.advance((DEADLINE - MORNING + HORIZON + GRACE).total_seconds())
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not auditing.done()

    shop.clock.advance(0.1)
    assert {violation.kind for violation in await auditing} == {Kind.RESTLESS, Kind.OVERDUE}


async def test_an_audit_without_waiting_judges_what_is_there() -> None:
    """`--no-wait` looks at a shop in use: an order within its horizon is no violation."""
    shop = Shop()
    pending = await shop.begin()
    assert await examine(shop.stores, shop.clock, HORIZON, wait=False) == ()
    await shop.orders.reject(pending.order_id, ABANDONED, MORNING)
    assert await examine(shop.stores, shop.clock, HORIZON, wait=True) == ()
