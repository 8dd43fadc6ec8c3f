"""Cases of every contract of the shop, which any transport must pass, and rows of its stores, clean
or in breach of a law.

Between them the cases send every idempotent method, and the rows break every law. This is the one
file of tests to which a capability of the shop adds its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from borough import events
from borough.audit import UNSENT, Ledgers
from borough.errors import NotFound
from borough.testing.clock import MORNING
from borough.testing.suites import Ask, Journey, Stores
from borough_shop.errors import (
    CommitAfterRelease,
    KeyReused,
    OutOfStock,
    ProfileUnknown,
    ReleaseAfterCommit,
    Released,
    UnknownSku,
)
from borough_shop.inventory import laws as stock
from borough_shop.inventory.contract import (
    Inventory,
    MenuRequest,
    OrderRef,
    Reservation,
    ReservationState,
    Reserve,
)
from borough_shop.inventory.domain import Article
from borough_shop.inventory.laws import StockBooks
from borough_shop.notifications import laws as telling
from borough_shop.notifications.contract import (
    Deliver,
    ListNotifications,
    Notification,
    Notifications,
    NotificationState,
)
from borough_shop.orders import laws as settling
from borough_shop.orders.contract import (
    ORDER_PLACED_SCHEMA,
    GetOrder,
    ListOrders,
    Order,
    OrderPlaced,
    Orders,
    OrderStatus,
    PlaceOrder,
    Reason,
)
from borough_shop.orders.domain import OrderRecord
from borough_shop.payments import laws as deciding
from borough_shop.payments.contract import Charge, Outcome, Payments, Verdict, VoidCharge
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.values import Line, Money, PricedLine
from shop.memory import menu
from shop.samples import basket

ADA = Profile(customer_id="ada", name="Ada", email="ada@example.org", card_token="tok_visa_1")
EUROS = Money(minor=340, currency="EUR")


def order_id(n: int = 1) -> UUID:
    return UUID(int=n)


async def a_charge_is_captured_once_and_stays_so(ask: Ask, stores: Stores) -> None:
    """The first verdict answers every later question, a void included."""
    payments: Payments = ask(Payments)
    charge = Charge(order_id=order_id(), amount=EUROS, card_token="tok_visa_1")
    verdict = await payments.charge(charge)
    assert (verdict.outcome, verdict.amount) == (Outcome.CAPTURED, EUROS)
    assert await payments.void(VoidCharge(order_id=order_id())) == verdict


async def a_void_beats_a_late_charge(ask: Ask, stores: Stores) -> None:
    """A charge that comes after a void finds VOIDED and takes nothing."""
    payments: Payments = ask(Payments)
    await payments.void(VoidCharge(order_id=order_id()))
    charge = Charge(order_id=order_id(), amount=EUROS, card_token="tok_visa_1")
    late = await payments.charge(charge)
    assert (late.outcome, late.amount) == (Outcome.VOIDED, None)


async def reserve_commit_and_the_two_wrong_turns(ask: Ask, stores: Stores) -> None:
    """Prices come with the reservation; committed stock cannot be released."""
    await stores[Inventory.name].receive(menu(1_000))
    inventory: Inventory = ask(Inventory)
    prices = {item.sku: item.price for item in (await inventory.menu(MenuRequest())).items}
    held = await inventory.reserve(reserve(order_id(), espresso=2))
    assert held.lines == (PricedLine(sku="espresso", quantity=2, price=prices["espresso"]),)
    ref = OrderRef(order_id=order_id())
    assert (await inventory.commit(ref)).lines == held.lines
    with pytest.raises(ReleaseAfterCommit, match=str(order_id())):
        await inventory.release(ref)


async def a_tombstone_refuses_what_comes_late(ask: Ask, stores: Stores) -> None:
    """A release without a reservation keeps a late reserve and a commit out."""
    await stores[Inventory.name].receive(menu(1_000))
    inventory: Inventory = ask(Inventory)
    await inventory.release(OrderRef(order_id=order_id()))
    with pytest.raises(Released):
        await inventory.reserve(reserve(order_id(), espresso=1))
    with pytest.raises(CommitAfterRelease):
        await inventory.commit(OrderRef(order_id=order_id()))


async def refusals_name_the_article(ask: Ask, stores: Stores) -> None:
    """An unknown article and one that is sold out are distinct errors that name it."""
    await stores[Inventory.name].receive(menu(3))
    inventory: Inventory = ask(Inventory)
    with pytest.raises(UnknownSku, match="unobtainium"):
        await inventory.reserve(reserve(order_id(), unobtainium=1))
    with pytest.raises(OutOfStock, match="espresso"):
        await inventory.reserve(reserve(order_id(), espresso=4))


async def what_is_written_is_read(ask: Ask, stores: Stores) -> None:
    """Upsert replaces the profile whole; a profile before its first write is unknown."""
    profiles: Profiles = ask(Profiles)
    with pytest.raises(ProfileUnknown, match="grace"):
        await profiles.get(GetProfile(customer_id="grace"))
    await profiles.upsert(ADA)
    renamed = ADA.model_copy(update={"name": "Ada L."})
    assert await profiles.upsert(renamed) == renamed
    assert await profiles.get(GetProfile(customer_id="ada")) == renamed


async def an_event_delivered_again_changes_nothing(ask: Ask, stores: Stores) -> None:
    """Deliveries are at least once, notifications exactly once."""
    notifications: Notifications = ask(Notifications)
    delivered = await notifications.deliver(Deliver(events=(placed(1),)))
    assert delivered.outcomes == (events.Outcome.HANDLED,)
    (first,) = (await notifications.list(ListNotifications(customer_id="ada"))).notifications
    assert first.state is NotificationState.RECORDED
    assert "2 x espresso" in first.text
    both = await notifications.deliver(Deliver(events=(placed(2), placed(1))))
    assert both.outcomes == (events.Outcome.HANDLED, events.Outcome.HANDLED)
    known = (await notifications.list(ListNotifications(customer_id="ada"))).notifications
    assert [n.event_id for n in known] == [order_id(102), order_id(101)]
    assert known[1] == first
    page = await notifications.list(ListNotifications(customer_id="ada", limit=1))
    assert [n.event_id for n in page.notifications] == [order_id(102)]
    rest = await notifications.list(ListNotifications(customer_id="ada", before=page.next_before))
    assert [n.event_id for n in rest.notifications] == [order_id(101)]


async def an_order_is_placed_once_per_key(ask: Ask, stores: Stores) -> None:
    """The same key answers the same order; another basket under it is refused."""
    await stores[Inventory.name].receive(menu(1_000))
    await ask(Profiles).upsert(ADA)
    orders: Orders = ask(Orders)
    placement = await orders.place(place("k-1", espresso=2))
    assert (placement.order.status, placement.replayed) == (OrderStatus.PLACED, False)
    again = await orders.place(place("k-1", espresso=2))
    assert again.replayed
    assert again.order == placement.order
    with pytest.raises(KeyReused, match="k-1"):
        await orders.place(place("k-1", espresso=3))


async def orders_are_listed_newest_first_and_only_ones_own(ask: Ask, stores: Stores) -> None:
    """Pages follow each other without gap; another customer's order does not exist."""
    await stores[Inventory.name].receive(menu(1_000))
    await ask(Profiles).upsert(ADA)
    orders: Orders = ask(Orders)
    ids = [(await orders.place(place(f"k-{n}", espresso=1))).order.order_id for n in range(3)]
    page = await orders.list(ListOrders(customer_id="ada", limit=2))
    rest = await orders.list(ListOrders(customer_id="ada", before=page.next_before))
    assert [o.order_id for o in (*page.orders, *rest.orders)] == ids[::-1]
    assert (await orders.get(GetOrder(order_id=ids[0], customer_id="ada"))).order_id == ids[0]
    with pytest.raises(NotFound, match=str(ids[0])):
        await orders.get(GetOrder(order_id=ids[0], customer_id="grace"))


def reserve(order: UUID, **quantities: int) -> Reserve:
    lines = tuple(Line(sku=sku, quantity=quantity) for sku, quantity in quantities.items())
    return Reserve(order_id=order, lines=lines)


def place(key: str, **quantities: int) -> PlaceOrder:
    return PlaceOrder(customer_id="ada", key=key, basket=basket(**quantities))


def placed(n: int) -> OrderPlaced:
    return OrderPlaced(
        event_id=order_id(100 + n),
        schema_version=ORDER_PLACED_SCHEMA,
        order_id=order_id(n),
        customer_id="ada",
        lines=(PricedLine(sku="espresso", quantity=2, price=EUROS),),
        total=EUROS.times(2),
        placed_at="2026-01-01T00:00:00Z",
    )


CASES: Sequence[Journey] = (
    a_charge_is_captured_once_and_stays_so,
    a_void_beats_a_late_charge,
    reserve_commit_and_the_two_wrong_turns,
    a_tombstone_refuses_what_comes_late,
    refusals_name_the_article,
    what_is_written_is_read,
    an_event_delivered_again_changes_nothing,
    an_order_is_placed_once_per_key,
    orders_are_listed_newest_first_and_only_ones_own,
)


# -- rows for the auditor

PLACED, REJECTED, PENDING, STRANGER = (UUID(int=number) for number in range(1, 5))
HORIZON = timedelta(seconds=5)
DEADLINE = MORNING + timedelta(seconds=2)
NOW = DEADLINE + HORIZON
PRICE = Money(minor=250, currency="EUR")
LINES = (PricedLine(sku="espresso", quantity=2, price=PRICE),)


def order(order_id: UUID, status: OrderStatus, **more: Any) -> OrderRecord:
    """Two espressos by ada."""
    values = {"order_id": order_id, "customer_id": "ada", "status": status} | more
    return OrderRecord(Order(basket=basket(espresso=2), created_at=MORNING, **values), DEADLINE)


def notification(event: int, state: NotificationState, order_id: UUID = PLACED) -> Notification:
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
NOTIFIED = notification(1, NotificationState.RECORDED)
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
    "notifications": (NOTIFIED,),
}
"""One order placed, one rejected with its tombstone, and one in flight within its horizon."""


def books(rows: Mapping[str, tuple[Any, ...]], unsent: int = 0, now: datetime = NOW) -> Ledgers:
    """These rows of every capability."""
    return Ledgers(
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


def with_rows(book: str, *rows: object) -> Ledgers:
    """The clean rows with rows added."""
    return books({**CLEAN, book: (*CLEAN[book], *rows)})


def with_change(book: str, index: int, row: object) -> Ledgers:
    """The clean rows with one row replaced, or removed where it is None."""
    rows = list(CLEAN[book])
    rows[index : index + 1] = [] if row is None else [row]
    return books({**CLEAN, book: tuple(rows)})


def with_placed(**changes: object) -> Ledgers:
    """The clean rows with another placed order."""
    record = CLEAN["orders"][0]
    return with_change("orders", 0, replace(record, order=record.order.model_copy(update=changes)))


def with_article(**changes: Any) -> Ledgers:
    """The clean rows with other stock."""
    return with_change("articles", 0, replace(CLEAN["articles"][0], **changes))


ONE = PRICE.times(1)
THREE = (PricedLine(sku="espresso", quantity=3, price=PRICE),)
VOIDED = Verdict(order_id=PLACED, outcome=Outcome.VOIDED)

PLANTED: list[tuple[Ledgers, set[str]]] = [
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
    (with_placed(basket=basket(espresso=3)), {settling.WRONG_LINES}),
    (with_article(stock=-2, received=2), {stock.OVERSOLD}),
    (with_article(stock=7), {stock.UNBALANCED}),
    (with_article(received=11), {stock.UNBALANCED}),
    (with_change("notifications", 0, None), {telling.NOT_NOTIFIED}),
    (
        with_change("notifications", 0, notification(1, NotificationState.PENDING)),
        {telling.NOT_NOTIFIED},
    ),
    (
        with_rows("notifications", notification(2, NotificationState.PARKED)),
        {telling.NOTIFIED_TWICE},
    ),
    (
        with_rows("notifications", notification(2, NotificationState.RECORDED, REJECTED)),
        {telling.NOTIFIED_WRONGLY},
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
        with_rows("notifications", notification(2, NotificationState.RECORDED, STRANGER)),
        {settling.UNKNOWN_ORDER},
    ),
    (books(CLEAN, now=NOW + timedelta(microseconds=1)), {settling.OVERDUE, settling.STILL_OPEN}),
    (with_rows("verdicts", CAPTURED), {deciding.DECIDED_TWICE}),
]
