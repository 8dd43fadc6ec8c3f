"""What does a customer meet who orders: once, again, in vain, and too late?"""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from borough.errors import Unavailable
from borough.testing.clock import deadlines_by
from borough_shop.orders.contract import Order
from borough_shop.payments.contract import Charge, Payments, Verdict, VoidCharge
from borough_shop.testing.door import Answer, Visitor, visiting
from borough_shop.testing.shop import Shop, memory_shop

ORDER = {"lines": [{"sku": "espresso", "quantity": 1}]}


class Fragile(Payments):
    """Payments at the end of a cable that can be pulled."""

    def __init__(self, real: Payments) -> None:
        self.real = real
        self.away = True

    async def charge(self, request: Charge) -> Verdict:
        self._reach()
        return await self.real.charge(request)

    async def void(self, request: VoidCharge) -> Verdict:
        self._reach()
        return await self.real.void(request)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("payments does not answer")


class Held(Payments):
    """Payments that take their time: a charge waits for a nod."""

    def __init__(self, real: Payments) -> None:
        self.real = real
        self.asked = asyncio.Event()
        self.nod = asyncio.Event()

    async def charge(self, request: Charge) -> Verdict:
        self.asked.set()
        await self.nod.wait()
        return await self.real.charge(request)

    async def void(self, request: VoidCharge) -> Verdict:
        return await self.real.void(request)


def same(first: Answer, second: Answer) -> bool:
    """Two answers that tell the customer the same."""
    return (first.status, first.body) == (second.status, second.body)


async def test_an_order_is_placed_once_however_often_it_is_sent(ada: Visitor) -> None:
    """201 the first time, 200 ever after, with the same order and the same Location."""
    first = await ada.order("k-1", espresso=2, flat_white=1)
    again = [await ada.order("k-1", espresso=2, flat_white=1) for _ in range(3)]
    assert first.status == 201
    assert first.body["status"] == "placed"
    assert first.body["total"] == {"minor": 820, "currency": "EUR"}
    assert {answer.status for answer in again} == {200}
    assert all(answer.body == first.body for answer in again)
    assert {answer.headers["Location"] for answer in [first, *again]} == {
        f"/v1/orders/{first.body['order_id']}"
    }
    assert (await ada.ask("GET", first.headers["Location"])).body == first.body
    assert len((await ada.ask("GET", "/v1/orders")).body["orders"]) == 1


async def test_a_whole_number_may_be_written_with_a_point(ada: Visitor) -> None:
    """2.0 is an integer to JSON Schema, and it is the same order as 2."""
    headers = {"Idempotency-Key": "k-1"}
    body = b'{"lines": [{"sku": "espresso", "quantity": 2.0}]}'
    first = await ada.ask("POST", "/v1/orders", body, headers=headers)
    again = await ada.order("k-1", espresso=2)
    assert (first.status, again.status, again.body) == (201, 200, first.body)


async def test_a_quoted_key_equals_the_bare_one(ada: Visitor) -> None:
    """Two spellings of one key are one key."""
    first = await ada.order("k-1", espresso=1)
    again = await ada.order('"k-1"', espresso=1)
    assert (again.status, again.body) == (200, first.body)


async def test_a_key_with_another_basket_is_refused(ada: Visitor) -> None:
    """Another basket under the key is refused by name, and the first order stays."""
    first = await ada.order("k-1", espresso=1)
    other = await ada.order("k-1", espresso=2)
    assert (other.status, other.problem.code) == (422, "idempotency-key-reused")
    assert "'k-1'" in other.problem.detail
    assert (await ada.order("k-1", espresso=1)).body == first.body


async def test_customers_do_not_share_keys(ada: Visitor) -> None:
    """A key is its customer's: somebody else's k-1 is another order."""
    await ada.order("k-1", espresso=1)
    body = {"lines": [{"sku": "cappuccino", "quantity": 1}]}
    headers = {"X-API-Key": "key-of-grace", "Idempotency-Key": "k-1"}
    answer = await ada.ask("POST", "/v1/orders", body, headers=headers)
    assert answer.problem.code == "profile-missing"


@pytest.mark.parametrize(
    ("card", "quantity", "status", "code", "names"),
    [
        ("tok_declined_1", 1, 402, "payment-declined", "nothing was charged"),
        ("tok_visa_4242", 6, 409, "out-of-stock", "espresso"),
    ],
)
async def test_a_rejected_order_is_answered_with_the_same_problem(
    card: str, quantity: int, status: int, code: str, names: str
) -> None:
    """The reason is the order's own, stored with it, and points at the order."""
    async with visiting(memory_shop(stock=5).door()) as visitor:
        await visitor.introduce(card)
        first = await visitor.order("k-1", espresso=quantity)
        again = await visitor.order("k-1", espresso=quantity)
        assert (first.status, first.problem.code) == (status, code)
        assert names in first.problem.detail
        assert same(first, again)
        order = await visitor.ask("GET", f"/v1/orders/{first.problem.about['order_id']}")
        assert (order.body["status"], order.body["reason"]) == ("rejected", code)
        assert order.body["detail"] == first.problem.detail


async def test_an_order_without_a_profile_is_refused_for_good(shop: Shop) -> None:
    """The problem says what to do; under a new key the same order is placed."""
    async with visiting(shop.door()) as visitor:
        first = await visitor.order("k-1", espresso=1)
        assert (first.status, first.problem.code) == (409, "profile-missing")
        await visitor.introduce()
        assert same(await visitor.order("k-1", espresso=1), first)
        assert (await visitor.order("k-2", espresso=1)).status == 201


async def test_an_unsettled_order_is_pending() -> None:
    """202 with where to look and when, the first time and every time, until it is settled."""
    async with visiting(memory_shop(between=Fragile).door()) as visitor:
        await visitor.introduce()
        answers = [await visitor.order("k-1", espresso=1) for _ in range(2)]
        for answer in answers:
            assert (answer.status, answer.body["status"]) == (202, "pending")
            assert answer.headers["Retry-After"] == "1"
            assert answer.headers["Location"] == f"/v1/orders/{answer.body['order_id']}"
        seen = await visitor.ask("GET", answers[0].headers["Location"])
        assert seen.body == answers[0].body == answers[1].body


async def test_an_undone_order_is_answered_with_the_same_problem() -> None:
    """503 abandoned, once reconcile has voided what nobody could settle; nothing is run again."""
    shop = memory_shop(between=Fragile)
    async with visiting(shop.door()) as visitor:
        await visitor.introduce()
        order_id = (await visitor.order("k-1", espresso=1)).body["order_id"]
        payments = shop.orders.payments
        assert isinstance(payments, Fragile)
        payments.away = False
        await shop.orders.settle(await stored(shop, order_id))
        answers = [await visitor.order("k-1", espresso=1) for _ in range(2)]
        assert same(*answers)
        assert (answers[0].status, answers[0].problem.code) == (503, "abandoned")
        assert answers[0].problem.about == {"order_id": order_id}


async def stored(shop: Shop, order_id: str) -> Order:
    """The order as the books have it."""
    order = await shop.shelves.orders.get(UUID(order_id))
    assert order is not None
    return order


async def test_a_repeat_does_not_wait_for_the_first() -> None:
    """While the first request is under way its repeat answers 202; then both tell one story."""
    shop = memory_shop(between=Held)
    payments = held(shop)
    async with visiting(shop.door()) as visitor:
        await visitor.introduce()
        first = asyncio.create_task(visitor.order("k-1", espresso=1))
        await payments.asked.wait()
        meanwhile = await visitor.order("k-1", espresso=1)
        assert (meanwhile.status, meanwhile.body["status"]) == (202, "pending")
        payments.nod.set()
        assert (await first).status == 201
        again = await visitor.order("k-1", espresso=1)
        assert (again.status, again.body) == (200, (await first).body)
        assert again.body["order_id"] == meanwhile.body["order_id"]


async def test_the_door_waits_no_longer_than_its_deadline_and_cancels_nothing() -> None:
    """504 says how to learn the outcome; the order runs to its end, and its key tells it."""
    shop = memory_shop(between=Held)
    with deadlines_by(shop.clock):  # only the door's own wait runs on real time
        async with visiting(shop.door()) as visitor:
            await visitor.introduce()
            async with visiting(shop.door(deadline_ms=500)) as hasty:
                late = await hasty.order("k-1", espresso=1)
            assert (late.status, late.problem.code) == (504, "deadline-exceeded")
            assert "same Idempotency-Key" in late.problem.detail
            assert len(shop.tasks) > 0
            held(shop).nod.set()
            await shop.tasks.drain()
            again = await visitor.order("k-1", espresso=1)
            assert (again.status, again.body["status"]) == (200, "placed")


async def test_a_caller_may_shorten_the_deadline() -> None:
    """A shorter borough-timeout-ms wins."""
    shop = memory_shop(between=Held)
    async with visiting(shop.door(deadline_ms=600_000)) as visitor:
        await visitor.introduce()
        headers = {"Idempotency-Key": "k-1", "borough-timeout-ms": "100"}
        answer = await visitor.ask("POST", "/v1/orders", ORDER, headers=headers)
        assert answer.problem.code == "deadline-exceeded"
        held(shop).nod.set()
        await shop.tasks.drain()


async def test_a_caller_cannot_lengthen_the_deadline() -> None:
    """A longer borough-timeout-ms changes nothing."""
    shop = memory_shop(between=Held)
    async with visiting(shop.door()) as visitor:
        await visitor.introduce()
    async with visiting(shop.door(deadline_ms=100)) as visitor:
        headers = {"Idempotency-Key": "k-1", "borough-timeout-ms": "600000"}
        answer = await visitor.ask("POST", "/v1/orders", ORDER, headers=headers)
        assert answer.problem.code == "deadline-exceeded"
        held(shop).nod.set()
        await shop.tasks.drain()


async def test_a_spent_deadline_starts_no_work(ada: Visitor, shop: Shop) -> None:
    """Who has no time left gets 504 before a single step is taken."""
    headers = {"Idempotency-Key": "k-1", "borough-timeout-ms": "0"}
    answer = await ada.ask("POST", "/v1/orders", ORDER, headers=headers)
    assert (answer.status, answer.problem.code) == (504, "deadline-exceeded")
    assert await shop.shelves.orders.ledger() == ()


async def test_a_slow_body_times_out(shop: Shop) -> None:
    """The time it takes to send a request is the caller's own."""
    stopped = asyncio.Event()

    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await stopped.wait()

    async with visiting(shop.door(deadline_ms=100)) as visitor:
        answer = await visitor.ask("PUT", "/v1/profile", dribble())
        assert (answer.status, answer.problem.code) == (504, "deadline-exceeded")
        assert "the body had arrived" in answer.problem.detail
        stopped.set()


def held(shop: Shop) -> Held:
    """The payments of a shop that was made with them."""
    payments = shop.orders.payments
    assert isinstance(payments, Held)
    return payments
