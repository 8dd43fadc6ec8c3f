"""Is there one row per event, also where an event is delivered several times?"""

from datetime import datetime, timedelta

from borough.testing.clock import MORNING
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.domain import NotificationStore
from shop.samples import an_event, an_id, an_order

LATER = MORNING + timedelta(seconds=1)
EVENT = an_event(an_order(1))
FRESH = Notification(
    event_id=EVENT.event_id,
    order_id=EVENT.order_id,
    customer_id="ada",
    state=NotificationState.PENDING,
    failed_tries=0,
    text="",
    updated_at=MORNING,
)


def changed(**fields: object) -> Notification:
    """The fresh row with these fields changed, later."""
    return FRESH.model_copy(update={**fields, "updated_at": LATER})


async def recorded_as(notifications: NotificationStore, text: str, at: datetime) -> Notification:
    """The row of the event after it was recorded with this text."""
    return (await notifications.record({EVENT.event_id: text}, at))[EVENT.event_id]


async def test_event_opens_one_row(notifications: NotificationStore) -> None:
    """The second delivery finds the row of the first."""
    assert await notifications.open((EVENT,), MORNING) == {EVENT.event_id: FRESH}
    assert await notifications.open((EVENT,), LATER) == {EVENT.event_id: FRESH}
    assert await notifications.ledger() == (FRESH,)


async def test_several_events_open_a_row_each(notifications: NotificationStore) -> None:
    """Also where some have a row already, and where one is there twice."""
    other = an_event(an_order(2))
    await notifications.open((EVENT,), MORNING)
    rows = await notifications.open((other, EVENT, other), LATER)

    assert rows[EVENT.event_id] == FRESH
    assert rows[other.event_id].updated_at == LATER
    assert len(await notifications.ledger()) == 2

    recorded = await notifications.record({other.event_id: "b", EVENT.event_id: "a"}, LATER)
    assert {row.order_id: row.text for row in recorded.values()} == {
        EVENT.order_id: "a",
        other.order_id: "b",
    }


async def test_recorded_row_is_final(notifications: NotificationStore) -> None:
    """Neither another recording nor a failure changes it."""
    await notifications.open((EVENT,), MORNING)
    recorded = changed(state=NotificationState.RECORDED, text="placed")

    assert await recorded_as(notifications, "placed", LATER) == recorded
    assert await recorded_as(notifications, "again", MORNING) == recorded
    assert await notifications.fail(EVENT.event_id, 1, MORNING) == (recorded, False)
    assert await notifications.open((EVENT,), MORNING) == {EVENT.event_id: recorded}


async def test_row_is_parked_after_the_limit_of_failed_tries(
    notifications: NotificationStore,
) -> None:
    """Tries are counted in the row, and the last one parks it for good."""
    await notifications.open((EVENT,), MORNING)
    parked = changed(state=NotificationState.PARKED, failed_tries=2)

    once = changed(failed_tries=1)
    assert await notifications.fail(EVENT.event_id, 2, LATER) == (once, False)
    assert await notifications.fail(EVENT.event_id, 2, LATER) == (parked, True)
    assert await notifications.fail(EVENT.event_id, 2, MORNING) == (parked, False)
    assert await recorded_as(notifications, "placed", MORNING) == parked


async def test_row_may_be_recorded_after_a_failure(notifications: NotificationStore) -> None:
    """The failed try stays counted."""
    await notifications.open((EVENT,), MORNING)
    await notifications.fail(EVENT.event_id, 2, MORNING)

    assert await recorded_as(notifications, "placed", LATER) == changed(
        state=NotificationState.RECORDED, failed_tries=1, text="placed"
    )


async def test_customer_pages_through_their_own_rows(notifications: NotificationStore) -> None:
    """Newest first, older than `before`, of this customer alone."""
    for number, customer in enumerate(["ada", "bob", "ada", "ada"], start=1):
        order = an_order(number, customer_id=customer)
        await notifications.open((an_event(order),), MORNING)

    first = await notifications.list("ada", None, 2)
    second = await notifications.list("ada", first[-1].event_id, 2)

    assert [row.event_id for row in first] == [an_id(4), an_id(3)]
    assert [row.event_id for row in second] == [an_id(1)]
