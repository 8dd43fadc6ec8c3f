"""What must hold of notifications: one for each placed order, and none for another."""

from collections.abc import Iterator

from borough.audit import Ledgers, Violation
from borough_shop.notifications.contract import Notification, Notifications, NotificationState
from borough_shop.orders.contract import Order, Orders, OrderStatus
from borough_shop.values import OrderId

UNTOLD = "placed-but-not-notified"
TOLD_TWICE = "notified-more-than-once"
TOLD_WRONGLY = "notified-but-not-placed"
UNKNOWN_ORDER = "order-unknown"


def each_placed_order_is_notified_once(ledgers: Ledgers) -> Iterator[Violation]:
    """Every PLACED order has exactly one notification, recorded or parked; others have none."""
    told: dict[OrderId, list[Notification]] = {}
    for notification in ledgers.of[Notifications.name]:
        told.setdefault(notification.order_id, []).append(notification)
    known = set[OrderId]()
    for record in ledgers.of[Orders.name]:
        order: Order = record.order
        known.add(order.order_id)
        pending = order.status is OrderStatus.PENDING
        if not (pending and ledgers.now <= record.deadline + ledgers.horizon):
            yield from _telling(order, told.get(order.order_id, []))
    for order_id in told.keys() - known:
        yield Violation(UNKNOWN_ORDER, str(order_id), "notifications has it, orders has not")


def _telling(order: Order, told: list[Notification]) -> Iterator[Violation]:
    subject = str(order.order_id)
    if order.status is not OrderStatus.PLACED:
        if told:
            yield Violation(TOLD_WRONGLY, subject, f"notified, the order is {order.status}")
        return
    if len(told) > 1:
        yield Violation(TOLD_TWICE, subject, f"{len(told)} notifications")
    if all(row.state is NotificationState.PENDING for row in told):
        yield Violation(UNTOLD, subject, "no notification is recorded or parked")


LAWS = (each_placed_order_is_notified_once,)
