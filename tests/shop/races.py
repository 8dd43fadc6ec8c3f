"""What every store must pass under concurrent calls: exactly one of them takes effect.

A check is given several stores on the same rows, as several replicas have them, and raises an
AssertionError where an update was lost.
"""
# assertions are what checks are made of

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta
from itertools import cycle
from typing import TypeVar

from borough.errors import Conflict
from borough.outbox import Outbox
from borough.testing.clock import MORNING
from borough_shop.errors import OutOfStock, Released
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import StockStore
from borough_shop.notifications.contract import NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.contract import OrderStatus, Reason
from borough_shop.orders.domain import OrderStore, Refusal
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from shop.samples import an_article, an_event, an_id, an_order, euros, lines

MANY = 20
RACED = Refusal(Reason.ABANDONED, "another was faster")

Answer = TypeVar("Answer")


async def check_last_pieces(stores: Sequence[StockStore], *, buyers: int, pieces: int) -> None:
    """Of so many buyers of one piece, as many get it as there are pieces."""
    await stores[0].receive((an_article(stock=pieces),))

    answers = await _together(
        store.reserve(an_id(number), lines(espresso=1), MORNING)
        for number, store in zip(range(buyers), cycle(stores), strict=False)
    )

    assert Counter(map(type, answers)) == {Reservation: pieces, OutOfStock: buyers - pieces}
    assert [article.stock for article in await stores[0].articles()] == [0]
    assert len(await stores[0].ledger()) == pieces


async def check_one_reservation(stores: Sequence[StockStore]) -> None:
    """One order reserved many times at once holds its lines once; every call answers that."""
    await stores[0].receive((an_article(stock=MANY),))

    answers = await _together(
        store.reserve(an_id(1), lines(espresso=1), MORNING) for store in _many(stores)
    )

    assert all(answer == answers[0] for answer in answers), answers
    assert [article.stock for article in await stores[0].articles()] == [MANY - 1]


async def check_reserve_or_release(stores: Sequence[StockStore]) -> None:
    """Reserve racing release leaves the order released and nothing held, in either order."""
    await stores[0].receive((an_article(stock=MANY),))
    first, second = stores

    for number in range(MANY):
        held, released = await _together(
            (
                first.reserve(an_id(number), lines(espresso=1), MORNING),
                second.release(an_id(number), MORNING),
            )
        )
        assert isinstance(held, Reservation | Released), held
        assert isinstance(released, Reservation), released
        assert released.state is ReservationState.RELEASED

    assert [article.stock for article in await stores[0].articles()] == [MANY]


async def check_commit_or_release(stores: Sequence[StockStore]) -> None:
    """Commit racing release: one of them does it, the other is refused, and stock is conserved."""
    await stores[0].receive((an_article(stock=MANY),))
    first, second = stores
    taken = 0

    for number in range(MANY):
        await first.reserve(an_id(number), lines(espresso=1), MORNING)
        committed, released = await _together(
            (first.commit(an_id(number), MORNING), second.release(an_id(number), MORNING))
        )
        assert isinstance(committed, Conflict) != isinstance(released, Conflict)
        taken += isinstance(committed, Reservation)

    assert [article.stock for article in await stores[0].articles()] == [MANY - taken]


async def check_one_begin(stores: Sequence[OrderStore]) -> None:
    """Many requests under one key begin one order, and all of them get that one."""
    begun = await asyncio.gather(
        *(
            store.begin(an_order(number), "key", "print", MORNING)
            for number, store in enumerate(_many(stores))
        )
    )

    assert [one.fresh for one in begun].count(True) == 1
    assert len({one.order.order_id for one in begun}) == 1
    assert len(await stores[0].ledger()) == 1


async def check_one_settlement(stores: Sequence[OrderStore]) -> None:
    """Place racing reject, twice each: one changes the order, and all of them see the same end."""
    first, second = stores
    placed = 0

    for number in range(MANY):
        order = an_order(number)
        await first.begin(order, f"key-{number}", "print", MORNING)
        settled = await asyncio.gather(
            first.place(an_event(order)),
            second.reject(order.order_id, RACED, MORNING),
            second.place(an_event(order)),
            first.reject(order.order_id, RACED, MORNING),
        )
        assert [one.changed for one in settled].count(True) == 1
        assert all(one.order == settled[0].order for one in settled)
        assert settled[0].order == await first.get(order.order_id)
        placed += settled[0].order.status is OrderStatus.PLACED

    statuses = [record.order.status for record in await first.ledger()]
    assert statuses.count(OrderStatus.PLACED) == placed


async def check_one_verdict(stores: Sequence[VerdictStore]) -> None:
    """Charge racing void: one verdict is written, and every caller gets it."""
    first, second = stores

    for number in range(MANY):
        captured = Verdict(order_id=an_id(number), outcome=Outcome.CAPTURED, amount=euros(5))
        voided = Verdict(order_id=an_id(number), outcome=Outcome.VOIDED)
        decided = await asyncio.gather(
            first.decide(captured, "digest", MORNING),
            second.decide(voided, "", MORNING),
            second.decide(captured, "digest", MORNING),
            first.decide(voided, "", MORNING),
        )
        assert [ours for _, ours in decided].count(True) == 1
        assert {verdict for verdict, _ in decided} == {await first.find(an_id(number))}


async def check_one_claim(stores: Sequence[Outbox], consumer: str, events: int) -> None:
    """Relays that claim at once never get the same event, and between them get all."""
    claims = await asyncio.gather(
        *(store.claim(consumer, MORNING, timedelta(seconds=10), 3) for store in _many(stores))
    )

    claimed = [envelope.event.event_id for claim in claims for envelope in claim]
    assert len(claimed) == len(set(claimed)) == events


async def check_every_try_counts(stores: Sequence[NotificationStore]) -> None:
    """Failures of one event at the same time are as many tries."""
    event = an_event(an_order(1))
    opened = await asyncio.gather(*(store.open((event,), MORNING) for store in _many(stores)))
    assert all(one == opened[0] for one in opened)

    failed = await asyncio.gather(
        *(store.fail(event.event_id, MANY // 2, MORNING) for store in _many(stores))
    )

    assert [parked for _, parked in failed].count(True) == 1
    (row,) = await stores[0].ledger()
    assert (row.failed_tries, row.state) == (MANY // 2, NotificationState.PARKED)


def _many(stores: Sequence[Answer]) -> Iterable[Answer]:
    return (store for store, _ in zip(cycle(stores), range(MANY), strict=False))


async def _together(calls: Iterable[Awaitable[Answer]]) -> list[Answer | Conflict]:
    """Each call's answer, or the conflict it met; anything else that is raised is a defect."""

    async def answer(call: Awaitable[Answer]) -> Answer | Conflict:
        try:
            return await call
        except Conflict as conflict:
            return conflict

    return list(await asyncio.gather(*map(answer, calls)))
