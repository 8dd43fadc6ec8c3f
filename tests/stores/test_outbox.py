"""Is every event delivered at least once, by one relay at a time?"""

from datetime import timedelta

import pytest

from borough.outbox import Outbox
from borough.testing.clock import MORNING
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.store import SqlOrders
from shop.samples import an_event, an_id, an_order

LEASE = timedelta(seconds=10)
SECOND = timedelta(seconds=1)
TO = "notifications"


async def claimed(outbox: Outbox, seconds: float = 0, limit: int = 10) -> list[int]:
    """The numbers of the events that can be claimed then."""
    envelopes = await outbox.claim(TO, MORNING + seconds * SECOND, LEASE, limit)
    return [next(n for n in range(10) if an_id(n) == e.event.event_id) for e in envelopes]


@pytest.fixture
async def outbox(orders: SqlOrders | MemoryOrders) -> Outbox:
    """Three events, a second apart."""
    for number in (1, 2, 3):
        order = an_order(number)
        await orders.begin(order, f"key-{number}", "print", MORNING)
        await orders.place(an_event(order, at=MORNING + (number - 1) * SECOND))
    return orders.outbox


async def test_events_are_claimed_oldest_first(outbox: Outbox) -> None:
    """At most as many as requested, and none before it is due."""
    assert await claimed(outbox, seconds=2, limit=2) == [1, 2]
    assert await claimed(outbox, seconds=2, limit=2) == [3]


async def test_claimed_event_is_not_claimed_again_until_its_lease_ends(outbox: Outbox) -> None:
    """A relay that claimed it and ended delays it no longer than that."""
    assert await claimed(outbox) == [1]
    assert await claimed(outbox) == []
    assert await claimed(outbox, seconds=9.9) == [2, 3]
    assert await claimed(outbox, seconds=10) == [1]


async def test_oldest_event_is_the_first_that_is_not_sent(outbox: Outbox) -> None:
    """Claimed or not, due or not; there is none when all are sent."""
    await claimed(outbox, seconds=2)
    for number in (1, 2, 3):
        assert await outbox.oldest(TO) == MORNING + (number - 1) * SECOND
        await outbox.sent(TO, [an_id(number)], MORNING)
    assert await outbox.oldest(TO) is None


async def test_sent_event_is_not_claimed_again(outbox: Outbox) -> None:
    """Not even when a slow second relay reports a failure afterwards."""
    await claimed(outbox)
    await outbox.sent(TO, [an_id(1)], MORNING)
    await outbox.failed(TO, {an_id(1): MORNING})

    assert await claimed(outbox, seconds=100) == [2, 3]
    assert await outbox.unsent() == 2


async def test_several_events_are_marked_at_once(outbox: Outbox) -> None:
    """Sent and failed ones, each with its time."""
    assert await claimed(outbox, seconds=2) == [1, 2, 3]
    await outbox.failed(TO, {an_id(2): MORNING + 3 * SECOND, an_id(1): MORNING + 4 * SECOND})
    await outbox.sent(TO, [an_id(3)], MORNING)

    assert await claimed(outbox, seconds=3) == [2]
    assert await claimed(outbox, seconds=4) == [1]
    await outbox.sent(TO, [an_id(1), an_id(2)], MORNING)
    assert await outbox.unsent() == 0


async def test_failed_event_is_due_at_the_given_time_with_one_try_more(outbox: Outbox) -> None:
    """The lease ends with the failure."""
    await outbox.claim(TO, MORNING, LEASE, 10)
    await outbox.failed(TO, {an_id(1): MORNING + SECOND / 2})

    (envelope,) = await outbox.claim(TO, MORNING + SECOND / 2, LEASE, 10)
    assert (envelope.event.event_id, envelope.tries) == (an_id(1), 1)


async def test_only_events_sent_before_the_retention_are_pruned(outbox: Outbox) -> None:
    """Unsent events are never pruned."""
    await outbox.sent(TO, [an_id(1)], MORNING)
    await outbox.sent(TO, [an_id(2)], MORNING + SECOND)

    assert await outbox.prune(TO, MORNING + SECOND, 10) == 1
    assert await outbox.prune(TO, MORNING + SECOND, 10) == 0
    assert await outbox.unsent() == 1


async def test_one_prune_deletes_no_more_than_its_limit(outbox: Outbox) -> None:
    """A backlog is pruned in batches, each in a transaction of its own."""
    for number in (1, 2, 3):
        await outbox.sent(TO, [an_id(number)], MORNING)

    assert await outbox.prune(TO, MORNING + SECOND, 2) == 2
    assert await outbox.prune(TO, MORNING + SECOND, 2) == 1
