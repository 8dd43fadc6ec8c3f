"""What must hold of a settled order: its money, its stock and its lines agree with it.

An order that is pending within its horizon is not judged.
"""

from collections.abc import Iterable, Iterator

from borough.audit import Ledgers, Violation
from borough_shop.inventory.contract import Inventory, Reservation, ReservationState
from borough_shop.orders.contract import Order, Orders, OrderStatus
from borough_shop.payments.contract import Outcome, Payments, Verdict
from borough_shop.values import Line, total_of

OVERDUE = "overdue"
UNPAID = "placed-but-not-captured"
UNTAKEN = "placed-but-stock-not-committed"
LOST_MONEY = "captured-but-not-placed"
LOST_STOCK = "stock-committed-but-not-placed"
WRONG_AMOUNT = "wrong-amount"
WRONG_LINES = "wrong-lines"
STILL_OPEN = "reservation-still-open"
UNKNOWN_ORDER = "order-unknown"


def orders_agree_with_money_and_stock(ledgers: Ledgers) -> Iterator[Violation]:
    """PLACED if and only if CAPTURED and stock committed, for its lines and their sum. Every
    verdict and every reservation belongs to an order.
    """
    records = ledgers.of[Orders.name]
    verdicts = {verdict.order_id: verdict for verdict in ledgers.of[Payments.name]}
    reservations = {held.order_id: held for held in ledgers.of[Inventory.name].reservations}
    for record in records:
        order = record.order
        within = ledgers.now <= record.deadline + ledgers.horizon
        if not (order.status is OrderStatus.PENDING and within):
            verdict, held = verdicts.get(order.order_id), reservations.get(order.order_id)
            yield from _settlement(order, verdict, held)
            yield from _amounts(order, verdict, held)
    known = {record.order.order_id for record in records}
    for capability, found in ((Payments, verdicts), (Inventory, reservations)):
        for order_id in found.keys() - known:
            yield Violation(UNKNOWN_ORDER, str(order_id), f"in {capability.name}, not in orders")


def _settlement(
    order: Order, verdict: Verdict | None, held: Reservation | None
) -> Iterator[Violation]:
    """PLACED if and only if CAPTURED and stock committed; nothing pending, nothing held."""
    subject = str(order.order_id)
    placed = order.status is OrderStatus.PLACED
    money = verdict.outcome if verdict else "undecided"
    stock = held.state if held else "never reserved"
    if order.status is OrderStatus.PENDING:
        yield Violation(OVERDUE, subject, "pending beyond its deadline and the horizon")
    if placed and money != Outcome.CAPTURED:
        yield Violation(UNPAID, subject, f"the order is placed, its money is {money}")
    if placed and stock != ReservationState.COMMITTED:
        yield Violation(UNTAKEN, subject, f"the order is placed, its stock is {stock}")
    if not placed and money == Outcome.CAPTURED:
        yield Violation(LOST_MONEY, subject, f"money was taken, the order is {order.status}")
    if not placed and stock == ReservationState.COMMITTED:
        yield Violation(LOST_STOCK, subject, f"stock was taken, the order is {order.status}")
    if stock == ReservationState.OPEN:
        yield Violation(STILL_OPEN, subject, f"stock is held, the order is {order.status}")


def _amounts(
    order: Order, verdict: Verdict | None, held: Reservation | None
) -> Iterator[Violation]:
    """Charge = sum of the reserved prices = order total, for the lines that were ordered."""
    if held is None:
        return
    subject, due = str(order.order_id), total_of(held.lines) if held.lines else None
    if verdict is not None and verdict.outcome is Outcome.CAPTURED and verdict.amount != due:
        yield Violation(WRONG_AMOUNT, subject, f"charged {verdict.amount}, reserved {due}")
    if order.status is OrderStatus.PLACED and order.total != due:
        yield Violation(WRONG_AMOUNT, subject, f"total {order.total}, reserved {due}")
    if order.status is OrderStatus.PLACED and order.lines != held.lines:
        yield Violation(WRONG_LINES, subject, "the order's lines are not the reserved ones")
    tombstone = held.state is ReservationState.RELEASED and not held.lines
    if not tombstone and _pieces(held.lines) != _pieces(order.basket.lines):
        yield Violation(WRONG_LINES, subject, "what was reserved is not what was ordered")


def _pieces(lines: Iterable[Line]) -> dict[str, int]:
    return {line.sku: line.quantity for line in lines}


LAWS = (orders_agree_with_money_and_stock,)
