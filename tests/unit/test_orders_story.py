"""The order as its customer lives it, and what the rest of the shop is asked meanwhile."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest

from borough.capability import Endpoint, Message
from borough.errors import NotFound
from borough.testing.clock import ManualClock, deadlines_by
from borough.transport.calls import remote
from borough_shop.errors import KeyReused
from borough_shop.inventory.contract import Inventory, ReservationState
from borough_shop.orders.contract import (
    GetOrder,
    ListOrders,
    Order,
    OrderStatus,
    PlaceOrder,
    Reason,
)
from borough_shop.payments.contract import Outcome, Payments
from borough_shop.profiles.contract import Profiles
from shop.memory import Shop, memory_shop
from shop.samples import a_profile, basket

ESPRESSO = PlaceOrder(customer_id="ada", key="k", basket=basket(espresso=2))
PATIENCE = 2.0
"""What an order is given by default, in seconds."""


@dataclass
class Slowly:
    """A transport that takes its time, and remembers what it was asked."""

    service: Any
    clock: ManualClock
    seconds: float = 0
    asked: list[str] = field(default_factory=list)

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Time passes, then the service works."""
        self.asked.append(endpoint.name)
        self.clock.advance(self.seconds)
        answer: Message = await getattr(self.service, endpoint.method)(message)
        return answer


@dataclass
class Behind:
    """A transport whose answers come some iterations of the event loop later."""

    service: Any
    answered: int = 0

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Others run first, then the service works."""
        for _ in range(5):
            await asyncio.sleep(0)
        answer: Message = await getattr(self.service, endpoint.method)(message)
        self.answered += 1
        return answer


@pytest.fixture
async def shop() -> Shop:
    """Five pieces of each article; ada has a good card."""
    shop = memory_shop(stock=5)
    await shop.profiles.upsert(a_profile("ada"))
    return shop


async def left(shop: Shop, sku: str = "espresso") -> int:
    """Free pieces."""
    return {article.sku: article.stock for article in await shop.stored.stock.articles()}[sku]


async def test_an_order_is_placed_paid_and_taken(shop: Shop) -> None:
    """The reserved price is charged, the stock is gone for good, and the event waits to be told."""
    order = (await shop.orders.place(ESPRESSO)).order
    assert order.status is OrderStatus.PLACED
    assert order.total is not None
    (verdict,) = await shop.stored.verdicts.ledger()
    assert (verdict.outcome, verdict.amount) == (Outcome.CAPTURED, order.total)
    (held,) = await shop.stored.stock.ledger()
    assert (held.state, held.lines) == (ReservationState.COMMITTED, order.lines)
    assert await left(shop) == 3
    assert await shop.stored.orders.outbox.unsent() == 1


async def test_a_replay_answers_the_order_and_runs_nothing(shop: Shop) -> None:
    """The same key and basket: the same order, charged once, taken once, told once."""
    first = await shop.orders.place(ESPRESSO)
    again = await shop.orders.place(ESPRESSO)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.order == first.order
    assert len(await shop.stored.verdicts.ledger()) == 1
    assert await left(shop) == 3
    assert await shop.stored.orders.outbox.unsent() == 1


async def test_a_replay_meanwhile_answers_pending(shop: Shop) -> None:
    """Two requests at once under one key: one runs the order, the other sees it PENDING."""
    both = await asyncio.gather(shop.orders.place(ESPRESSO), shop.orders.place(ESPRESSO))
    fresh, replay = sorted(both, key=lambda placement: placement.replayed)
    assert fresh.order.status is OrderStatus.PLACED
    assert replay.replayed
    assert replay.order.status is OrderStatus.PENDING
    assert replay.order.order_id == fresh.order.order_id


async def test_a_key_with_another_basket_is_refused(shop: Shop) -> None:
    """Another basket under it is refused, and leaves everything as it was."""
    await shop.orders.place(ESPRESSO)
    with pytest.raises(KeyReused, match="'k'"):
        await shop.orders.place(ESPRESSO.model_copy(update={"basket": basket(espresso=1)}))
    assert len(await shop.stored.orders.ledger()) == 1
    assert await left(shop) == 3


async def test_a_key_belongs_to_its_customer(shop: Shop) -> None:
    """Two customers may choose the same key without knowing of each other."""
    await shop.profiles.upsert(a_profile("grace"))
    ada = await shop.orders.place(ESPRESSO)
    grace = await shop.orders.place(ESPRESSO.model_copy(update={"customer_id": "grace"}))
    assert not grace.replayed
    assert grace.order.order_id != ada.order.order_id


async def test_an_order_without_a_profile_gives_its_stock_back(shop: Shop) -> None:
    """Profile and stock are asked at the same time, so what was reserved meanwhile is released."""
    order = (await shop.orders.place(ESPRESSO.model_copy(update={"customer_id": "eve"}))).order
    assert order.reason is Reason.PROFILE_MISSING
    assert await left(shop) == 5
    assert await shop.stored.verdicts.ledger() == ()


async def test_a_stock_out_leaves_a_tombstone(shop: Shop) -> None:
    """Released always, even after a stock-out: a reserve that comes late must find it."""
    order = (
        await shop.orders.place(ESPRESSO.model_copy(update={"basket": basket(espresso=6)}))
    ).order
    assert order.reason is Reason.OUT_OF_STOCK
    (held,) = await shop.stored.stock.ledger()
    assert (held.state, held.lines) == (ReservationState.RELEASED, ())


async def test_no_charge_is_sent_after_the_deadline(shop: Shop) -> None:
    """Reserving took too long: the order is abandoned, its stock back, payments never asked."""
    inventory = Slowly(shop.inventory, shop.clock, seconds=PATIENCE + 1)
    payments = Slowly(shop.payments, shop.clock)
    orders = replace(
        shop.orders,
        inventory=remote(Inventory, inventory),
        payments=remote(Payments, payments),
    )
    with deadlines_by(shop.clock):
        order = (await orders.place(ESPRESSO)).order
    assert order.reason is Reason.ABANDONED
    assert payments.asked == []
    assert inventory.asked == ["inventory.reserve", "inventory.release"]
    assert await left(shop) == 5


async def test_a_defect_in_one_question_leaves_the_other_one_answered(shop: Shop) -> None:
    """The profile is asked beside the reservation: nothing of an order goes on behind its end."""
    profiles = Behind(shop.profiles)
    orders = replace(
        shop.orders,
        profiles=remote(Profiles, profiles),
        inventory=remote(Inventory, Slowly(None, shop.clock)),
    )
    with pytest.raises(AttributeError, match="reserve"):
        await orders.place(ESPRESSO)
    assert profiles.answered == 1


async def test_a_verdict_in_hand_is_settled_though_the_deadline_is_spent(shop: Shop) -> None:
    """Settling runs under its own budget: who paid gets the order, however long paying took."""
    payments = Slowly(shop.payments, shop.clock, seconds=PATIENCE + 1)
    orders = replace(shop.orders, payments=remote(Payments, payments))
    with deadlines_by(shop.clock):
        order = (await orders.place(ESPRESSO)).order
    assert order.status is OrderStatus.PLACED
    assert payments.asked == ["payments.charge"]


async def test_the_relay_is_woken_by_a_placed_order_only(shop: Shop) -> None:
    """There is nothing to deliver for an order that was rejected."""
    woken: list[str] = []
    orders = replace(shop.orders, on_placed=lambda: woken.append("now"))
    await orders.place(ESPRESSO.model_copy(update={"customer_id": "eve"}))
    assert woken == []
    await orders.place(ESPRESSO)
    assert woken == ["now"]


async def test_another_customers_order_does_not_exist(shop: Shop) -> None:
    """It is refused in the very words of an order that never was."""
    order = (await shop.orders.place(ESPRESSO)).order
    asked = GetOrder(order_id=order.order_id, customer_id="grace")
    with pytest.raises(NotFound) as hers:
        await shop.orders.get(asked)
    with pytest.raises(NotFound) as nobodys:
        await shop.orders.get(asked.model_copy(update={"order_id": UUID(int=0)}))
    assert hers.value.detail == nobodys.value.detail.replace(str(UUID(int=0)), str(order.order_id))
    assert await shop.orders.get(asked.model_copy(update={"customer_id": "ada"})) == order


async def test_pages_of_orders_follow_each_other_from_the_newest(shop: Shop) -> None:
    """Each page says what to ask next, the last one says nothing, and none is seen twice."""
    placed = [
        (await shop.orders.place(ESPRESSO.model_copy(update={"key": f"k{n}"}))).order
        for n in range(5)
    ]
    seen: list[Order] = []
    before = None
    for size in (2, 2, 1):
        page = await shop.orders.list(ListOrders(customer_id="ada", before=before, limit=2))
        assert len(page.orders) == size
        seen, before = [*seen, *page.orders], page.next_before
    assert before is None
    assert seen == placed[::-1]
