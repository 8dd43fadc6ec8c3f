"""Does the auditor find each kind of wrong, and keep silent where all is well?"""

import asyncio
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from borough.audit import GRACE, RESTLESS, UNSENT, Ledgers, drained, examine, judge
from borough.testing.clock import MORNING, ManualClock
from borough.testing.database import MemoryStores
from borough.testing.suites import check_laws
from borough_shop.app import APP
from borough_shop.notifications.contract import NotificationState
from borough_shop.orders.contract import Order, OrderStatus
from borough_shop.orders.domain import ABANDONED, placed_event
from borough_shop.orders.laws import OVERDUE
from shop.cases import (
    CLEAN,
    DEADLINE,
    HORIZON,
    LINES,
    PENDING,
    PLACED,
    PLANTED,
    VOIDED,
    books,
    notification,
    order,
    with_change,
)

if TYPE_CHECKING:
    from borough_shop.orders.memory import MemoryOrders


def test_each_planted_breach_of_a_law_is_found() -> None:
    """By its name, and nothing else is accused. Placed and paid, rejected and undone, or in flight
    within the horizon, all is well.
    """
    check_laws(APP, books(CLEAN), PLANTED)


def test_a_parked_event_counts_as_told() -> None:
    """Parking is a final answer that people look after, not a lost event."""
    parked = with_change("notifications", 0, notification(1, NotificationState.PARKED))
    assert judge(APP, parked) == ()


def test_every_kind_has_been_planted() -> None:
    """A new kind of violation comes with the books that show it."""
    planted = set[str]().union(*(kinds for _, kinds in PLANTED))
    modules = {import_module(law.__module__) for d in APP.capabilities for law in d.laws}
    kinds = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert kinds <= planted


@pytest.mark.parametrize(
    ("clean", "planted", "wrong"),
    [
        (books(CLEAN, unsent=1), PLANTED, "in clean ledgers: outbox-not-empty: orders"),
        (
            books(CLEAN),
            [planted for planted in PLANTED if planted[1] != {"more-than-one-verdict"}],
            "no breach is planted for the law each_order_is_decided_once",
        ),
        (books(CLEAN), [(books(CLEAN), {UNSENT}), *PLANTED], "planted ledgers 0: [], not ['outbox"),
    ],
    ids=["a false accusation", "a law without a breach", "a breach that is not found"],
)
def test_auditor_that_is_wrong_is_told(
    clean: Ledgers, planted: Sequence[tuple[Ledgers, set[str]]], wrong: str
) -> None:
    """The suite says which law, or which books."""
    with pytest.raises(AssertionError, match=re.escape(wrong)) as caught:
        check_laws(APP, clean, planted)
    assert len(str(caught.value).splitlines()) == 1


def test_a_violation_names_its_subject_in_one_line() -> None:
    """The command line prints it as it is."""
    (violation,) = judge(APP, with_change("verdicts", 0, VOIDED))
    assert str(violation) == (
        f"placed-but-not-captured: {PLACED}: the order is placed, its money is voided"
    )


class Shop:
    """Stores with one order PENDING, and the clock the drain waits by."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stores = MemoryStores(APP)
        self.orders: MemoryOrders = self.stores["orders"]

    async def begin(self) -> Order:
        """The order, with two seconds to its deadline."""
        pending = order(PENDING, OrderStatus.PENDING).order
        await self.orders.begin(pending, "key", "print", DEADLINE)
        return pending

    async def turn_until(self, condition: Callable[[], bool]) -> None:
        """Let others go on until it holds; bounded, since the clock stands still."""
        for _ in range(100):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came about")


async def test_a_drain_waits_for_pending_orders_and_then_for_the_outbox() -> None:
    """Ledgers are at rest once no order is PENDING and no event is unsent; not one of the two."""
    shop = Shop()
    pending = await shop.begin()
    waiting = asyncio.create_task(drained(APP, shop.stores, shop.clock, HORIZON))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)

    event = placed_event(pending, LINES, UUID(int=9), MORNING)
    await shop.orders.place(event)
    shop.clock.advance(1)
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not waiting.done()

    await shop.orders.outbox.sent("notifications", [event.event_id], MORNING)
    shop.clock.advance(1)
    assert await waiting


async def test_a_drain_that_takes_too_long_is_a_violation() -> None:
    """Past deadline, horizon and grace the audit fails: it never waits for ever."""
    shop = Shop()
    await shop.begin()
    auditing = asyncio.create_task(examine(APP, shop.stores, shop.clock, HORIZON, wait=True))
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    shop.clock.advance((DEADLINE - MORNING + HORIZON + GRACE).total_seconds())
    await shop.turn_until(lambda: shop.clock.sleeping == 1)
    assert not auditing.done()

    shop.clock.advance(0.1)
    report = await auditing
    assert {violation.kind for violation in report.violations} == {RESTLESS, OVERDUE}


async def test_an_audit_without_waiting_judges_what_is_there() -> None:
    """`--no-wait` looks at a shop in use: an order within its horizon is no violation."""
    shop = Shop()
    pending = await shop.begin()
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=False)).clean
    await shop.orders.reject(pending.order_id, ABANDONED, MORNING)
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=True)).clean
