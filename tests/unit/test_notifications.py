"""Is each event sent once, and parked if it cannot be handled?"""

import asyncio

import pytest

from borough.events import Outcome
from borough.testing.clock import ManualClock
from borough_shop.notifications import signals
from borough_shop.notifications.contract import (
    Deliver,
    ListNotifications,
    Notification,
    NotificationState,
)
from borough_shop.notifications.domain import Unreadable, compose
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import NotificationsService
from borough_shop.orders.contract import ORDER_PLACED_SCHEMA, OrderPlaced
from borough_telemetry import Telemetry
from shop.samples import an_event, an_order

EVENT = an_event(an_order())
NEWER = EVENT.model_copy(update={"schema_version": ORDER_PLACED_SCHEMA + 1})
PARK_AFTER = 3


class Mail:
    """A mail server that fails the given number of times, then sends."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[str] = []

    async def send(self, event: OrderPlaced, text: str) -> None:
        """Send the text."""
        if self.failures:
            self.failures -= 1
            raise OSError("no route to host")
        self.sent.append(text)


def service(failures: int = 0) -> tuple[NotificationsService, Mail]:
    """The service, and the mail server it sends with."""
    mail = Mail(failures)
    return NotificationsService(
        store=MemoryNotifications(),
        clock=ManualClock(),
        telemetry=Telemetry("test", log_level="critical"),
        park_after=PARK_AFTER,
        send=mail.send,
    ), mail


async def deliver(notifications: NotificationsService, event: OrderPlaced = EVENT) -> Notification:
    """Deliver one event, and return its row."""
    await notifications.deliver(Deliver(events=(event,)))
    rows = {row.event_id: row for row in await notifications.store.ledger()}
    return rows[event.event_id]


def test_text_has_the_ordered_lines_and_the_total() -> None:
    """Lines have quantity and article, the total has its currency."""
    assert compose(EVENT) == "Your order of 2 x espresso is placed: 5.00 EUR."


def test_event_of_a_newer_schema_cannot_be_read() -> None:
    """The error states the version of the event and the supported one."""
    with pytest.raises(Unreadable, match=str(NEWER.schema_version)):
        compose(NEWER)


async def test_event_delivered_again_is_sent_once() -> None:
    """Delivery is at least once, sending is once: the same row is returned."""
    notifications, mail = service()
    first = await deliver(notifications)
    assert await deliver(notifications) == first
    assert first.state is NotificationState.RECORDED
    assert mail.sent == [first.text]


async def test_failed_try_leaves_the_row_pending_and_is_counted_in_it() -> None:
    """While tries are left the sender must deliver the event again."""
    notifications, mail = service(failures=1)
    row = await deliver(notifications)
    assert (row.state, row.failed_tries) == (NotificationState.PENDING, 1)
    assert await notifications.store.ledger() == (row,)

    assert (await deliver(notifications)).state is NotificationState.RECORDED
    assert len(mail.sent) == 1


async def test_failing_event_does_not_block_the_others_of_its_batch() -> None:
    """Outcomes are in the order of the events; an event that is in the batch twice is sent once."""
    notifications, mail = service()
    other = an_event(an_order(2))
    answer = await notifications.deliver(Deliver(events=(other, NEWER, other)))
    assert answer.outcomes == (Outcome.HANDLED, Outcome.PENDING, Outcome.HANDLED)
    assert len(mail.sent) == 1


async def test_event_is_parked_after_its_last_try() -> None:
    """Its row is final, the counter reports it, and it is not tried again."""
    notifications, mail = service(failures=PARK_AFTER)
    for _ in range(PARK_AFTER - 1):
        assert (await deliver(notifications)).state is NotificationState.PENDING
    parked = await deliver(notifications)
    assert (parked.state, parked.failed_tries) == (NotificationState.PARKED, PARK_AFTER)
    assert f"{signals.PARKED.name}_total 1.0" in notifications.telemetry.exposition().decode()

    assert await deliver(notifications) == parked
    assert mail.sent == []


async def test_event_that_fails_twice_concurrently_is_parked_and_counted_once() -> None:
    """Both deliveries return the parked row; only the failure that parked it is counted."""
    notifications, _ = service(failures=PARK_AFTER + 1)
    for _ in range(PARK_AFTER - 1):
        assert (await deliver(notifications)).state is NotificationState.PENDING
    rows = await asyncio.gather(deliver(notifications), deliver(notifications))
    assert {row.state for row in rows} == {NotificationState.PARKED}
    assert f"{signals.PARKED.name}_total 1.0" in notifications.telemetry.exposition().decode()


async def test_unreadable_event_is_parked_like_any_other_failure() -> None:
    """The tries of an older part leave time for its upgrade; then the newer event is parked."""
    notifications, _ = service()
    for _ in range(PARK_AFTER - 1):
        assert (await deliver(notifications, NEWER)).state is NotificationState.PENDING
    assert (await deliver(notifications, NEWER)).state is NotificationState.PARKED


async def test_pages_of_notifications_are_ordered_from_the_newest() -> None:
    """Each page has the cursor of the next one, and the last page has none."""
    notifications, _ = service()
    rows = [await deliver(notifications, an_event(an_order(number))) for number in (1, 2, 3)]
    page = await notifications.list(ListNotifications(customer_id="ada", limit=2))
    rest = await notifications.list(
        ListNotifications(customer_id="ada", limit=2, before=page.next_before)
    )
    assert [*page.notifications, *rest.notifications] == rows[::-1]
    assert rest.next_before is None
