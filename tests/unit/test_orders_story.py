"""Placing and reading orders: what is stored, and which other capabilities are called."""

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
TIME_LIMIT_S = 2.0
"""The time that an order has by default, in seconds."""


@dataclass
class SlowTransport:
    """A transport that takes `seconds` a call, and records the endpoints called."""

    service: Any
    clock: ManualClock
    seconds: float = 0
    asked: list[str] = field(default_factory=list)

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Advance the clock, then call the service."""
        self.asked.append(endpoint.name)
        self.clock.advance(self.seconds)
        answer: Message = await getattr(self.service, endpoint.method)(message)
        return answer


@dataclass
class DelayedTransport:
    """A transport that answers after some iterations of the event loop."""

    service: Any
    answered: int = 0

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Let other tasks run, then call the service."""
        for _ in range(5):
            await asyncio.sleep(0)
        answer: Message = await getattr(self.service, endpoint.method)(message)
        self.answered += 1
        return answer


@pytest.fixture
async def shop() -> Shop:
    """Five pieces of each article; ada has a valid card."""
    shop = memory_shop(stock=5)
    await shop.profiles.upsert(a_profile("ada"))
    return shop


async def left(shop: Shop, sku: str = "espresso") -> int:
    """Free pieces of an article."""
    return {article.sku: article.stock for article in await shop.stored.stock.articles()}[sku]


async def test_order_in_stock_is_placed_paid_and_committed(shop: Shop) -> None:
    """The reserved price is captured, the stock is committed, and the event is in the outbox."""
    order = (await shop.orders.place(ESPRESSO)).order
    assert order.status is OrderStatus.PLACED
    assert order.total is not None
    (verdict,) = await shop.stored.verdicts.ledger()
    assert (verdict.outcome, verdict.amount) == (Outcome.CAPTURED, order.total)
    (held,) = await shop.stored.stock.ledger()
    assert (held.state, held.lines) == (ReservationState.COMMITTED, order.lines)
    assert await left(shop) == 3
    assert await shop.stored.orders.outbox.unsent() == 1


async def test_replay_returns_the_order_and_runs_nothing(shop: Shop) -> None:
    """The same key and basket return one order, with one charge, one reservation, one event."""
    first = await shop.orders.place(ESPRESSO)
    again = await shop.orders.place(ESPRESSO)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.order == first.order
    assert len(await shop.stored.verdicts.ledger()) == 1
    assert await left(shop) == 3
    assert await shop.stored.orders.outbox.unsent() == 1


async def test_replay_of_an_order_in_progress_is_pending(shop: Shop) -> None:
    """Of two concurrent requests with one key one runs the order, the other returns it PENDING."""
    both = await asyncio.gather(shop.orders.place(ESPRESSO), shop.orders.place(ESPRESSO))
    fresh, replay = sorted(both, key=lambda placement: placement.replayed)
    assert fresh.order.status is OrderStatus.PLACED
    assert replay.replayed
    assert replay.order.status is OrderStatus.PENDING
    assert replay.order.order_id == fresh.order.order_id


async def test_key_with_another_basket_is_refused(shop: Shop) -> None:
    """The refused request changes neither orders nor stock."""
    await shop.orders.place(ESPRESSO)
    with pytest.raises(KeyReused, match="'k'"):
        await shop.orders.place(ESPRESSO.model_copy(update={"basket": basket(espresso=1)}))
    assert len(await shop.stored.orders.ledger()) == 1
    assert await left(shop) == 3


async def test_equal_keys_of_two_customers_are_two_orders(shop: Shop) -> None:
    """A key is scoped to its customer."""
    await shop.profiles.upsert(a_profile("grace"))
    ada = await shop.orders.place(ESPRESSO)
    grace = await shop.orders.place(ESPRESSO.model_copy(update={"customer_id": "grace"}))
    assert not grace.replayed
    assert grace.order.order_id != ada.order.order_id


async def test_order_without_a_profile_releases_its_stock(shop: Shop) -> None:
    """Profile and reservation are requested concurrently, so the reservation is released."""
    order = (await shop.orders.place(ESPRESSO.model_copy(update={"customer_id": "eve"}))).order
    assert order.reason is Reason.PROFILE_MISSING
    assert await left(shop) == 5
    assert await shop.stored.verdicts.ledger() == ()


async def test_stock_out_leaves_a_released_reservation(shop: Shop) -> None:
    """A stock-out is released too, so that a reserve which arrives late is refused."""
    order = (
        await shop.orders.place(ESPRESSO.model_copy(update={"basket": basket(espresso=6)}))
    ).order
    assert order.reason is Reason.OUT_OF_STOCK
    (held,) = await shop.stored.stock.ledger()
    assert (held.state, held.lines) == (ReservationState.RELEASED, ())


async def test_no_charge_is_sent_after_the_deadline(shop: Shop) -> None:
    """If reserving exceeds it, the order is abandoned, its stock released, and nothing charged."""
    inventory = SlowTransport(shop.inventory, shop.clock, seconds=TIME_LIMIT_S + 1)
    payments = SlowTransport(shop.payments, shop.clock)
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


async def test_defect_in_reserving_does_not_cancel_the_profile_request(shop: Shop) -> None:
    """Both run concurrently, and both have ended when the error is raised."""
    profiles = DelayedTransport(shop.profiles)
    orders = replace(
        shop.orders,
        profiles=remote(Profiles, profiles),
        inventory=remote(Inventory, SlowTransport(None, shop.clock)),
    )
    with pytest.raises(AttributeError, match="reserve"):
        await orders.place(ESPRESSO)
    assert profiles.answered == 1


async def test_verdict_is_settled_after_the_deadline(shop: Shop) -> None:
    """Settling has its own time budget: a paid order is placed however long the charge took."""
    payments = SlowTransport(shop.payments, shop.clock, seconds=TIME_LIMIT_S + 1)
    orders = replace(shop.orders, payments=remote(Payments, payments))
    with deadlines_by(shop.clock):
        order = (await orders.place(ESPRESSO)).order
    assert order.status is OrderStatus.PLACED
    assert payments.asked == ["payments.charge"]


async def test_relay_is_woken_by_a_placed_order_only(shop: Shop) -> None:
    """A rejected order has no event to deliver."""
    woken: list[str] = []
    orders = replace(shop.orders, on_placed=lambda: woken.append("now"))
    await orders.place(ESPRESSO.model_copy(update={"customer_id": "eve"}))
    assert woken == []
    await orders.place(ESPRESSO)
    assert woken == ["now"]


async def test_order_of_another_customer_is_not_found(shop: Shop) -> None:
    """The error has the same text as that of an unknown order."""
    order = (await shop.orders.place(ESPRESSO)).order
    asked = GetOrder(order_id=order.order_id, customer_id="grace")
    with pytest.raises(NotFound) as of_other:
        await shop.orders.get(asked)
    with pytest.raises(NotFound) as of_unknown:
        await shop.orders.get(asked.model_copy(update={"order_id": UUID(int=0)}))
    assert of_other.value.detail == of_unknown.value.detail.replace(
        str(UUID(int=0)), str(order.order_id)
    )
    assert await shop.orders.get(asked.model_copy(update={"customer_id": "ada"})) == order


async def test_pages_of_orders_are_ordered_from_the_newest(shop: Shop) -> None:
    """Each page has the cursor of the next one, the last has none, and no order repeats."""
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
