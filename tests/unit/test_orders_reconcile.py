"""Does reconcile settle overdue PENDING orders, and no others?"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from unittest import mock
from uuid import UUID

import pytest

from borough.capability import Endpoint, Message
from borough.errors import Unavailable
from borough.testing.clock import MORNING, deadlines_by
from borough.transport.calls import remote
from borough_shop.orders import signals
from borough_shop.orders.contract import Order, OrderStatus, Reason
from borough_shop.orders.reconcile import BATCH, Reconcile
from borough_shop.orders.service import OrdersService
from borough_shop.payments.contract import Charge, Outcome, Payments, Verdict, VoidCharge
from borough_shop.values import Money
from borough_telemetry import Telemetry
from recorded import RecordedSpans
from shop.memory import Shop, memory_shop
from shop.samples import an_id, an_order, lines

DEADLINE, HORIZON = 2.0, 5.0


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop without orders."""
    shop = memory_shop(stock=5)
    with deadlines_by(shop.clock):
        yield shop


def reconcile_of(shop: Shop, service: OrdersService | None = None) -> Reconcile:
    """The loop, with an interval of one second."""
    return Reconcile(
        service=service or shop.orders,
        store=shop.stored.orders,
        clock=shop.clock,
        horizon=HORIZON,
        interval=1,
    )


async def begin(shop: Shop, *numbers: int) -> None:
    """Store PENDING orders for which nothing else was done."""
    for number in numbers:
        await shop.stored.orders.begin(
            an_order(number), f"key-{number}", "print", MORNING + timedelta(seconds=DEADLINE)
        )


async def stored(shop: Shop, number: int) -> Order:
    """The order as it is stored."""
    order = await shop.stored.orders.get(an_id(number))
    assert order is not None
    return order


async def test_order_within_its_horizon_stays_pending(shop: Shop) -> None:
    """Its request may be in progress."""
    await begin(shop, 1)
    shop.clock.advance(DEADLINE + HORIZON)
    assert await reconcile_of(shop).once() == 0
    assert (await stored(shop, 1)).status is OrderStatus.PENDING


async def test_order_that_was_never_charged_is_abandoned(shop: Shop) -> None:
    """The void is recorded first, so that a charge in flight is answered with VOIDED."""
    await begin(shop, 1)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    assert await reconcile_of(shop).once() == 1
    assert (await stored(shop, 1)).reason is Reason.ABANDONED

    late = Charge(order_id=an_id(1), amount=Money(minor=1, currency="EUR"), card_token="tok_good")
    assert (await shop.payments.charge(late)).outcome is Outcome.VOIDED


async def test_order_that_was_charged_is_placed(shop: Shop) -> None:
    """The payment was captured and its answer lost: the order is completed."""
    await begin(shop, 1)
    held = await shop.stored.stock.reserve(an_id(1), lines(espresso=2), MORNING)
    paid = Verdict(order_id=an_id(1), outcome=Outcome.CAPTURED, amount=held.lines[0].price.times(2))
    await shop.stored.verdicts.decide(paid, "digest", MORNING)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    await reconcile_of(shop).once()
    order = await stored(shop, 1)
    assert (order.status, order.total) == (OrderStatus.PLACED, paid.amount)


async def test_more_orders_than_a_batch_are_all_settled_in_one_round(shop: Shop) -> None:
    """A backlog is processed batch by batch."""
    numbers = range(1, 2 * BATCH + 2)
    await begin(shop, *numbers)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    assert await reconcile_of(shop).once() == len(numbers)
    assert {(await stored(shop, n)).status for n in numbers} == {OrderStatus.REJECTED}


async def test_number_of_overdue_orders_is_exposed(shop: Shop) -> None:
    """The gauge is the number that the last round found: 0 once they are settled."""
    queue = signals.RECONCILE_QUEUE.series
    reconcile = reconcile_of(shop)
    await begin(shop, 1, 2)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    for found in (2, 0):
        await reconcile.once()
        assert f"{queue} {found}.0\n" in shop.orders.telemetry.exposition().decode()


async def test_reconciled_order_links_to_the_trace_of_its_request(shop: Shop) -> None:
    """The span of reconcile has a link to it, and the event carries it for its delivery."""
    trace_id, spans = 0xADA, RecordedSpans()
    trace = f"00-{trace_id:032x}-{1:016x}-01"
    due = MORNING + timedelta(seconds=DEADLINE)
    await shop.stored.orders.begin(an_order(1), "key", "print", due, trace)
    held = await shop.stored.stock.reserve(an_id(1), lines(espresso=2), MORNING)
    paid = Verdict(order_id=an_id(1), outcome=Outcome.CAPTURED, amount=held.lines[0].price.times(2))
    await shop.stored.verdicts.decide(paid, "digest", MORNING)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    telemetry = Telemetry("test", export=spans, log_level="critical")
    await reconcile_of(shop, replace(shop.orders, telemetry=telemetry)).once()
    await asyncio.to_thread(telemetry.close)

    (span,) = spans.get_finished_spans()
    assert span.name == "orders.reconcile"
    assert span.context.trace_id != trace_id
    assert [link.context.trace_id for link in span.links] == [trace_id]
    (envelope,) = await shop.stored.orders.outbox.claim(
        "notifications", shop.clock.now(), timedelta(seconds=1), 1
    )
    assert envelope.trace == trace


class Refusing:
    """Payments that are unavailable for some orders."""

    def __init__(self, payments: Payments, refused: set[UUID]) -> None:
        self._payments = payments
        self._refused = refused

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Reconcile sends voids only."""
        assert isinstance(message, VoidCharge)
        if message.order_id in self._refused:
            raise Unavailable("payments does not answer")
        return await self._payments.void(message)


async def test_orders_that_cannot_be_settled_do_not_block_later_orders(shop: Shop) -> None:
    """A whole batch without an answer stays PENDING; the orders after it are settled."""
    stuck = set(range(1, BATCH + 1))
    await begin(shop, *stuck, BATCH + 1)
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    payments = remote(Payments, Refusing(shop.payments, {an_id(n) for n in stuck}))
    loop = reconcile_of(shop, replace(shop.orders, payments=payments))
    assert await loop.once() == BATCH + 1
    assert {(await stored(shop, n)).status for n in stuck} == {OrderStatus.PENDING}
    assert (await stored(shop, BATCH + 1)).status is OrderStatus.REJECTED


async def test_order_that_becomes_overdue_later_is_settled_by_a_later_round(shop: Shop) -> None:
    """The loop repeats its rounds, with a pause between two."""
    running = asyncio.create_task(reconcile_of(shop).run())
    await begin(shop, 1)
    for _ in range(100):
        shop.clock.advance(1)
        await asyncio.sleep(0)
        if (await stored(shop, 1)).status is not OrderStatus.PENDING:
            break
    running.cancel()
    await asyncio.wait([running])
    assert (await stored(shop, 1)).reason is Reason.ABANDONED


async def test_defect_in_one_order_does_not_block_later_orders(shop: Shop) -> None:
    """It stays PENDING for the next round; the orders after it are settled in this one."""
    real = shop.payments

    class Defective:
        """Raises an error that is no `BoroughError` for the first order."""

        async def call(self, endpoint: Endpoint, message: Message) -> Message:
            if isinstance(message, VoidCharge) and message.order_id == an_id(1):
                raise ZeroDivisionError
            answer: Message = await getattr(real, endpoint.method)(message)
            return answer

    await begin(shop, *range(1, BATCH + 2))
    shop.clock.advance(DEADLINE + HORIZON + 0.1)
    service = replace(shop.orders, payments=remote(Payments, Defective()))
    assert await reconcile_of(shop, service).once() == BATCH + 1
    assert (await stored(shop, 1)).status is OrderStatus.PENDING
    assert (await stored(shop, BATCH + 1)).status is OrderStatus.REJECTED


async def test_loop_continues_after_the_store_was_unavailable(shop: Shop) -> None:
    """An error of the database does not end the loop; the next round queries it again."""
    unavailable = Unavailable("the store of orders cannot be reached")
    store = mock.Mock(overdue=mock.AsyncMock(side_effect=[unavailable, *[[]] * 100]))
    running = asyncio.create_task(replace(reconcile_of(shop), store=store).run())
    for _ in range(10):
        shop.clock.advance(1)
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert store.overdue.await_count > 1
