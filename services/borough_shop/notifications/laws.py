"""What must hold of notifications: one for each placed order, and none for others."""

from collections import defaultdict
from collections.abc import Iterator

from borough.audit import Ledgers, Violation
from borough_shop.notifications.contract import Notification, Notifications, NotificationState
from borough_shop.orders.contract import Orders, OrderStatus
from borough_shop.values import OrderId

NOT_NOTIFIED = "placed-but-not-notified"
NOTIFIED_TWICE = "notified-more-than-once"
NOTIFIED_WRONGLY = "notified-but-not-placed"
UNKNOWN_ORDER = "order-unknown"


def each_placed_order_is_notified_once(ledgers: Ledgers) -> Iterator[Violation]:
    """Every PLACED order has exactly one notification, recorded or parked; others have none."""
    rows = defaultdict[OrderId, list[Notification]](list)
    for notification in ledgers.of[Notifications.name]:
        rows[notification.order_id].append(notification)
    for record in ledgers.of[Orders.name]:
        order, found = record.order, rows.pop(record.order.order_id, [])
        if order.status is OrderStatus.PENDING and ledgers.now <= record.deadline + ledgers.horizon:
            continue
        subject, placed = str(order.order_id), order.status is OrderStatus.PLACED
        if found and not placed:
            yield Violation(NOTIFIED_WRONGLY, subject, f"notified, the order is {order.status}")
        if placed and len(found) > 1:
            yield Violation(NOTIFIED_TWICE, subject, f"{len(found)} notifications")
        if placed and all(row.state is NotificationState.PENDING for row in found):
            yield Violation(NOT_NOTIFIED, subject, "no notification is recorded or parked")
    for order_id in rows:
        yield Violation(UNKNOWN_ORDER, str(order_id), "in notifications, not in orders")


LAWS = (each_placed_order_is_notified_once,)
