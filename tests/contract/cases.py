"""What the capabilities of the shop promise each other, as cases that any transport must pass.

Between them they send every idempotent method; whoever adds a capability to the shop adds cases.
"""

from collections.abc import Sequence
from uuid import UUID

import pytest

from borough import events
from borough.errors import NotFound
from borough.testing.suites import Ask, Case, Stores
from borough_shop.errors import (
    CommitAfterRelease,
    KeyReused,
    OutOfStock,
    ProfileUnknown,
    ReleaseAfterCommit,
    Released,
    UnknownSku,
)
from borough_shop.inventory.contract import Inventory, MenuRequest, OrderRef, Reserve
from borough_shop.notifications.contract import (
    Deliver,
    ListNotifications,
    Notifications,
    NotificationState,
)
from borough_shop.orders.contract import (
    ORDER_PLACED_SCHEMA,
    GetOrder,
    ListOrders,
    OrderPlaced,
    Orders,
    OrderStatus,
    PlaceOrder,
)
from borough_shop.payments.contract import Charge, Outcome, Payments, VoidCharge
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.testing.shop import menu
from borough_shop.values import Basket, Line, Money, PricedLine

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
    """An unknown article and one that is sold out are told apart, by name."""
    await stores[Inventory.name].receive(menu(3))
    inventory: Inventory = ask(Inventory)
    with pytest.raises(UnknownSku, match="unobtainium"):
        await inventory.reserve(reserve(order_id(), unobtainium=1))
    with pytest.raises(OutOfStock, match="espresso"):
        await inventory.reserve(reserve(order_id(), espresso=4))


async def what_is_written_is_read(ask: Ask, stores: Stores) -> None:
    """Upsert replaces the profile whole; nobody's profile is unknown."""
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
    told = await notifications.deliver(Deliver(events=(placed(1),)))
    assert told.outcomes == (events.Outcome.HANDLED,)
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
    return PlaceOrder(customer_id="ada", key=key, basket=Basket.of(**quantities))


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


OF_THE_SHOP: Sequence[Case] = (
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
