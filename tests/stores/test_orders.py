"""Is an order begun once, settled once, with its event in the same transaction?"""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from borough.testing.clock import MORNING
from borough_shop.orders.contract import OrderStatus, Reason
from borough_shop.orders.domain import Begun, OrderRecord, OrderStore, Refusal, Settled
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.store import SqlOrders
from shop.samples import an_event, an_id, an_order

DEADLINE = MORNING + timedelta(seconds=2)
LATER = MORNING + timedelta(seconds=3)
TRACE = f"00-{1:032x}-{2:016x}-01"
OUT = Refusal(Reason.OUT_OF_STOCK, "espresso is out of stock")


async def begin(orders: OrderStore, number: int, deadline: datetime = DEADLINE) -> None:
    """Store an order under a key of its own."""
    await orders.begin(an_order(number), f"key-{number}", "print", deadline)


async def test_key_begins_one_order(orders: OrderStore) -> None:
    """A second request with it returns the first order and its fingerprint, whatever its
    content.
    """
    first, second = an_order(1), an_order(2)
    fresh = Begun(first, "print", fresh=True)

    assert await orders.begin(first, "key", "print", DEADLINE) == fresh
    assert await orders.begin(second, "key", "other", DEADLINE) == replace(fresh, fresh=False)
    assert await orders.ledger() == (OrderRecord(first, DEADLINE),)


async def test_customers_do_not_share_keys(orders: OrderStore) -> None:
    """A key belongs to one customer."""
    for number, customer in enumerate(["ada", "bob"], start=1):
        order = an_order(number, customer_id=customer)
        assert (await orders.begin(order, "key", "print", DEADLINE)).fresh


async def test_order_is_returned_as_it_was_stored(orders: OrderStore) -> None:
    """Every field; an unknown id returns nothing."""
    await begin(orders, 1)

    assert await orders.get(an_id(1)) == an_order(1)
    assert await orders.get(an_id(2)) is None


async def test_datetimes_are_returned_aware_in_any_zone(orders: OrderStore) -> None:
    """Datetimes of one instant are equal in every zone."""
    tokyo = timezone(timedelta(hours=9))
    await orders.begin(an_order(at=MORNING.astimezone(tokyo)), "key", "print", DEADLINE)

    stored = await orders.get(an_id(1))
    assert stored is not None
    assert stored.created_at == MORNING
    assert stored.created_at.tzinfo is not None


async def test_placing_writes_what_the_event_says(orders: SqlOrders | MemoryOrders) -> None:
    """Lines, total and time are stored in the order, and the event in the outbox, with its
    trace.
    """
    await orders.begin(an_order(1), "key-1", "print", DEADLINE, TRACE)
    event = an_event(an_order(1), number=7, at=LATER)

    settled = await orders.place(event)

    placed = an_order(1).model_copy(
        update={
            "status": OrderStatus.PLACED,
            "lines": event.lines,
            "total": event.total,
            "settled_at": LATER,
        }
    )
    assert settled == Settled(placed, changed=True)
    assert await orders.get(an_id(1)) == placed
    (envelope,) = await orders.outbox.claim("notifications", LATER, timedelta(seconds=1), 10)
    assert (envelope.event, envelope.trace, envelope.tries) == (event, TRACE, 0)


async def test_order_is_placed_once(orders: SqlOrders | MemoryOrders) -> None:
    """The second attempt changes nothing and writes no event."""
    await begin(orders, 1)
    first = await orders.place(an_event(an_order(1), number=7))
    second = await orders.place(an_event(an_order(1), number=8))

    assert second == Settled(first.order, changed=False)
    assert await orders.outbox.unsent() == 1


async def test_rejected_order_has_its_reason(orders: SqlOrders | MemoryOrders) -> None:
    """Reason, detail and time; no event is written."""
    await begin(orders, 1)

    rejected = an_order(1).model_copy(
        update={
            "status": OrderStatus.REJECTED,
            "reason": Reason.OUT_OF_STOCK,
            "detail": OUT.detail,
            "settled_at": LATER,
        }
    )
    assert await orders.reject(an_id(1), OUT, LATER) == Settled(rejected, changed=True)
    assert await orders.reject(an_id(1), OUT, MORNING) == Settled(rejected, changed=False)
    assert await orders.outbox.unsent() == 0


@pytest.mark.parametrize("first", ["place", "reject"])
async def test_first_settlement_is_final(orders: SqlOrders | MemoryOrders, first: str) -> None:
    """A placed order is not rejected any more, nor the other way round."""
    await begin(orders, 1)
    event = an_event(an_order(1))
    if first == "place":
        stands = await orders.place(event)
        late = await orders.reject(an_id(1), OUT, LATER)
    else:
        stands = await orders.reject(an_id(1), OUT, LATER)
        late = await orders.place(event)

    assert late == Settled(stands.order, changed=False)
    assert await orders.outbox.unsent() == (first == "place")


async def test_customer_pages_through_their_own_orders(orders: OrderStore) -> None:
    """Newest first, older than `before`, of this customer alone."""
    for number, customer in enumerate(["ada", "bob", "ada", "ada"], start=1):
        order = an_order(number, customer_id=customer)
        await orders.begin(order, f"key-{number}", "print", DEADLINE)

    first = await orders.list("ada", None, 2)
    second = await orders.list("ada", first[-1].order_id, 2)

    assert [order.order_id for order in first] == [an_id(4), an_id(3)]
    assert [order.order_id for order in second] == [an_id(1)]


async def test_overdue_orders_are_pending_and_past_their_deadline(orders: OrderStore) -> None:
    """By id, in pages after `after`; settled orders and those before their deadline are left
    out.
    """
    for number in range(1, 6):
        await begin(orders, number, MORNING + timedelta(seconds=9 if number == 3 else 1))
    await orders.reject(an_id(2), OUT, LATER)

    first = await orders.overdue(MORNING + timedelta(seconds=2), None, 2)
    second = await orders.overdue(MORNING + timedelta(seconds=2), first[-1].order.order_id, 2)

    assert [record.order.order_id for record in first] == [an_id(1), an_id(4)]
    assert [record.order.order_id for record in second] == [an_id(5)]


async def test_order_keeps_the_trace_of_its_first_request(orders: OrderStore) -> None:
    """The trace of its first request is found when it is settled later; a replay does not change
    that.
    """
    await orders.begin(an_order(1), "key", "print", DEADLINE, TRACE)
    await orders.begin(an_order(2), "key", "print", DEADLINE, None)

    stands = (OrderRecord(an_order(1), DEADLINE, TRACE),)
    assert await orders.overdue(LATER, None, 1) == await orders.ledger() == stands
