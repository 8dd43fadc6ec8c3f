"""What must hold of an order at its end: its money, its stock and its lines agree with it.

An order that is pending within its horizon is not judged yet.
"""

from collections.abc import Iterable, Iterator

from borough.audit import Ledgers, Violation
from borough_shop.inventory.contract import Inventory, Reservation, ReservationState
from borough_shop.orders.contract import Order, Orders, OrderStatus
from borough_shop.orders.domain import OrderRecord
from borough_shop.payments.contract import Outcome, Payments, Verdict
from borough_shop.values import Line, OrderId, total_of

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
    """PLACED if and only if CAPTURED and stock committed, for its lines and their sum."""
    verdicts = {verdict.order_id: verdict for verdict in _verdicts(ledgers)}
    held = {reservation.order_id: reservation for reservation in _reservations(ledgers)}
    for order in judged(ledgers):
        verdict, reservation = verdicts.get(order.order_id), held.get(order.order_id)
        yield from _settlement(order, verdict, reservation)
        yield from _amounts(order, verdict, reservation)


def nobody_knows_another_order(ledgers: Ledgers) -> Iterator[Violation]:
    """Money and stock belong to orders that are in the ledgers."""
    known = {record.order.order_id for record in _records(ledgers)}
    of_others: dict[str, Iterable[OrderId]] = {
        Payments.name: [verdict.order_id for verdict in _verdicts(ledgers)],
        Inventory.name: [reservation.order_id for reservation in _reservations(ledgers)],
    }
    for book, order_ids in of_others.items():
        for order_id in set(order_ids) - known:
            yield Violation(UNKNOWN_ORDER, str(order_id), f"{book} has it, orders has not")


def judged(ledgers: Ledgers) -> Iterator[Order]:
    """Every order but those that are pending within their horizon."""
    for record in _records(ledgers):
        within = ledgers.now <= record.deadline + ledgers.horizon
        if not (record.order.status is OrderStatus.PENDING and within):
            yield record.order


def _records(ledgers: Ledgers) -> tuple[OrderRecord, ...]:
    records: tuple[OrderRecord, ...] = ledgers.of[Orders.name]
    return records


def _verdicts(ledgers: Ledgers) -> tuple[Verdict, ...]:
    verdicts: tuple[Verdict, ...] = ledgers.of[Payments.name]
    return verdicts


def _reservations(ledgers: Ledgers) -> tuple[Reservation, ...]:
    reservations: tuple[Reservation, ...] = ledgers.of[Inventory.name].reservations
    return reservations


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


LAWS = (orders_agree_with_money_and_stock, nobody_knows_another_order)
