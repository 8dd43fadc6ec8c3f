"""Of many concurrent calls through two replicas, does exactly one take effect?

`test_lost_updates.py` shows that these checks find a store that loses an update.
"""

from collections.abc import Sequence

from borough.testing.clock import MORNING
from borough_shop.inventory.domain import StockStore
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.domain import OrderStore
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.store import SqlOrders
from borough_shop.payments.domain import VerdictStore
from shop.races import (
    check_commit_or_release,
    check_every_try_counts,
    check_last_pieces,
    check_one_begin,
    check_one_claim,
    check_one_reservation,
    check_one_settlement,
    check_one_verdict,
    check_reserve_or_release,
)
from shop.samples import an_event, an_order


async def test_last_fifty_pieces_go_to_fifty_of_two_hundred_orders(
    two_stocks: Sequence[StockStore],
) -> None:
    """Stock is neither oversold nor left over."""
    await check_last_pieces(two_stocks, buyers=200, pieces=50)


async def test_order_reserved_concurrently_holds_once(two_stocks: Sequence[StockStore]) -> None:
    """A duplicate finds the row of the first, also while it is being written."""
    await check_one_reservation(two_stocks)


async def test_release_wins_over_a_concurrent_reserve(two_stocks: Sequence[StockStore]) -> None:
    """In either order, nothing stays held."""
    await check_reserve_or_release(two_stocks)


async def test_either_commit_or_release_succeeds(two_stocks: Sequence[StockStore]) -> None:
    """The other call raises an error."""
    await check_commit_or_release(two_stocks)


async def test_key_used_concurrently_begins_one_order(two_orders: Sequence[OrderStore]) -> None:
    """Whatever the number of requests with it."""
    await check_one_begin(two_orders)


async def test_order_settled_concurrently_is_settled_once(two_orders: Sequence[OrderStore]) -> None:
    """Request and reconcile may race at any point."""
    await check_one_settlement(two_orders)


async def test_order_decided_concurrently_has_one_verdict(
    two_verdicts: Sequence[VerdictStore],
) -> None:
    """A charge and a void never both hold."""
    await check_one_verdict(two_verdicts)


async def test_event_is_claimed_by_one_relay(
    two_orders: tuple[SqlOrders | MemoryOrders, SqlOrders | MemoryOrders],
) -> None:
    """Replicas share the outbox without a leader."""
    first, second = two_orders
    for number in range(10):
        await first.begin(an_order(number), f"key-{number}", "print", MORNING)
        await first.place(an_event(an_order(number)))

    await check_one_claim((first.outbox, second.outbox), "notifications", events=10)


async def test_concurrent_tries_are_all_counted(
    two_notifications: Sequence[NotificationStore],
) -> None:
    """None is lost, and the last one parks the row."""
    await check_every_try_counts(two_notifications)
