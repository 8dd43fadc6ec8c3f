"""Does the auditor report every planted violation, and none in clean ledgers?"""

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
    """It is reported by its kind and no other kind is; orders that are placed and paid, rejected
    and undone, or in flight within the horizon are clean.
    """
    check_laws(APP, books(CLEAN), PLANTED)


def test_parked_event_counts_as_delivered() -> None:
    """Parking is a final outcome that an operator reviews; the event is not lost."""
    parked = with_change("notifications", 0, notification(1, NotificationState.PARKED))
    assert judge(APP, parked) == ()


def test_every_kind_of_violation_has_planted_ledgers() -> None:
    """A new kind of violation requires ledgers that contain it."""
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
def test_wrong_auditor_fails_with_the_law_or_ledgers_it_misjudged(
    clean: Ledgers, planted: Sequence[tuple[Ledgers, set[str]]], wrong: str
) -> None:
    """The message names the law without a breach, or the ledgers that were misjudged."""
    with pytest.raises(AssertionError, match=re.escape(wrong)) as caught:
        check_laws(APP, clean, planted)
    assert len(str(caught.value).splitlines()) == 1


def test_violation_names_its_subject_in_one_line() -> None:
    """The command line prints the violation unchanged."""
    (violation,) = judge(APP, with_change("verdicts", 0, VOIDED))
    assert str(violation) == (
        f"placed-but-not-captured: {PLACED}: the order is placed, its money is voided"
    )


class Shop:
    """Stores with one PENDING order, and the clock of the drain."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stores = MemoryStores(APP)
        self.orders: MemoryOrders = self.stores["orders"]

    async def begin(self) -> Order:
        """Store the order, due in two seconds."""
        pending = order(PENDING, OrderStatus.PENDING).order
        await self.orders.begin(pending, "key", "print", DEADLINE)
        return pending

    async def run_until(self, condition: Callable[[], bool]) -> None:
        """Run other tasks until the condition holds; bounded, since the clock is manual."""
        for _ in range(100):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("the condition never held")


async def test_drain_waits_for_pending_orders_and_then_for_the_outbox() -> None:
    """It ends once no order is PENDING and no event is unsent; one of the two is not enough."""
    shop = Shop()
    pending = await shop.begin()
    waiting = asyncio.create_task(drained(APP, shop.stores, shop.clock, HORIZON))
    await shop.run_until(lambda: shop.clock.sleeping == 1)

    event = placed_event(pending, LINES, UUID(int=9), MORNING)
    await shop.orders.place(event)
    shop.clock.advance(1)
    await shop.run_until(lambda: shop.clock.sleeping == 1)
    assert not waiting.done()

    await shop.orders.outbox.sent("notifications", [event.event_id], MORNING)
    shop.clock.advance(1)
    assert await waiting


async def test_drain_that_takes_too_long_is_a_violation() -> None:
    """After deadline, horizon and grace the audit stops waiting and reports it."""
    shop = Shop()
    await shop.begin()
    auditing = asyncio.create_task(examine(APP, shop.stores, shop.clock, HORIZON, wait=True))
    await shop.run_until(lambda: shop.clock.sleeping == 1)
    shop.clock.advance((DEADLINE - MORNING + HORIZON + GRACE).total_seconds())
    await shop.run_until(lambda: shop.clock.sleeping == 1)
    assert not auditing.done()

    shop.clock.advance(0.1)
    report = await auditing
    assert {violation.kind for violation in report.violations} == {RESTLESS, OVERDUE}


async def test_audit_without_waiting_judges_the_current_ledgers() -> None:
    """`--no-wait` audits a shop in use: an order within its horizon is no violation."""
    shop = Shop()
    pending = await shop.begin()
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=False)).clean
    await shop.orders.reject(pending.order_id, ABANDONED, MORNING)
    assert (await examine(APP, shop.stores, shop.clock, HORIZON, wait=True)).clean
