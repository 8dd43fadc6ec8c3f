"""Reads every book after the shop came to rest, and finds what must never be.

An order may fail; it may not be lost, charged twice, charged wrongly, oversold or left untold. Each
law is judged from rows that parts wrote on their own, so a wrong settlement cannot hide: what one
part believes, another's book contradicts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from borough.clock import Clock
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article, StockStore
from borough_shop.notifications.contract import Notification, NotificationState
from borough_shop.notifications.domain import NotificationStore
from borough_shop.orders.contract import Order, OrderStatus
from borough_shop.orders.domain import OrderRecord, OrderStore
from borough_shop.outbox import Outbox
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from borough_shop.values import Line, OrderId, total_of

GRACE = timedelta(seconds=30)
"""How much longer than deadline and horizon a drain may take."""
LOOK_EVERY = 0.1
ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What can be wrong."""

    OVERDUE = "overdue"
    UNPAID = "placed-but-not-captured"
    UNTAKEN = "placed-but-stock-not-committed"
    LOST_MONEY = "captured-but-not-placed"
    LOST_STOCK = "stock-committed-but-not-placed"
    DECIDED_TWICE = "more-than-one-verdict"
    RESERVED_TWICE = "more-than-one-reservation"
    WRONG_AMOUNT = "wrong-amount"
    WRONG_LINES = "wrong-lines"
    STILL_OPEN = "reservation-still-open"
    OVERSOLD = "oversold"
    UNBALANCED = "stock-not-conserved"
    UNTOLD = "placed-but-not-notified"
    TOLD_TWICE = "notified-more-than-once"
    TOLD_WRONGLY = "notified-but-not-placed"
    UNSENT = "outbox-not-empty"
    UNKNOWN_ORDER = "order-unknown"
    RESTLESS = "not-drained"


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of one law. `subject` is an order id, a SKU, or a book's name."""

    kind: Kind
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Every row of every store that a law speaks of."""

    orders: tuple[OrderRecord, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    articles: tuple[Article, ...] = ()
    notifications: tuple[Notification, ...] = ()
    unsent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where the books are kept."""

    orders: OrderStore
    outbox: Outbox
    verdicts: VerdictStore
    stock: StockStore
    notifications: NotificationStore


def audit(books: Books, now: datetime, horizon: timedelta) -> tuple[Violation, ...]:
    """Every violation in drained books. An order PENDING within its horizon is not judged yet."""
    return tuple(_violations(books, now, horizon))


async def read_books(stores: Stores) -> Books:
    """Read them all."""
    return Books(
        orders=await stores.orders.ledger(),
        verdicts=await stores.verdicts.ledger(),
        reservations=await stores.stock.ledger(),
        articles=await stores.stock.articles(),
        notifications=await stores.notifications.ledger(),
        unsent=await stores.outbox.unsent(),
    )


async def drained(stores: Stores, clock: Clock, horizon: timedelta) -> bool:
    """Wait until no order is PENDING and the outbox is empty; False when that takes too long.

    Too long is past the latest deadline of a PENDING order, or now, plus the horizon and 30 s.
    """
    start = clock.now()
    pending = [
        record.deadline
        for record in await stores.orders.ledger()
        if record.order.status is OrderStatus.PENDING
    ]
    bound = max([start, *pending]) + horizon + GRACE
    while await stores.orders.overdue(ALWAYS, None, 1) or await stores.outbox.unsent():
        if clock.now() > bound:
            return False
        await clock.sleep(LOOK_EVERY)
    return True


async def examine(
    stores: Stores, clock: Clock, horizon: timedelta, *, wait: bool
) -> tuple[Violation, ...]:
    """The whole audit: wait for the drain where asked to, read, judge."""
    rested = await drained(stores, clock, horizon) if wait else True
    found = audit(await read_books(stores), clock.now(), horizon)
    if rested:
        return found
    late = Violation(Kind.RESTLESS, "orders", "orders or events were still under way at the end")
    return (late, *found)


def _violations(books: Books, now: datetime, horizon: timedelta) -> Iterator[Violation]:
    verdicts = {verdict.order_id: verdict for verdict in books.verdicts}
    reservations = {held.order_id: held for held in books.reservations}
    told: dict[OrderId, list[Notification]] = {}
    for notification in books.notifications:
        told.setdefault(notification.order_id, []).append(notification)

    for record in books.orders:
        order = record.order
        if order.status is OrderStatus.PENDING and now <= record.deadline + horizon:
            continue
        verdict, held = verdicts.get(order.order_id), reservations.get(order.order_id)
        yield from _settlement(order, verdict, held)
        yield from _amounts(order, verdict, held)
        yield from _telling(order, told.get(order.order_id, []))

    yield from _identities(books)
    yield from _stock(books)
    if books.unsent:
        yield Violation(Kind.UNSENT, "outbox", f"{books.unsent} events wait to be delivered")


def _settlement(
    order: Order, verdict: Verdict | None, held: Reservation | None
) -> Iterator[Violation]:
    """PLACED if and only if CAPTURED and stock committed; nothing pending, nothing held."""
    subject = str(order.order_id)
    placed = order.status is OrderStatus.PLACED
    money = verdict.outcome if verdict else "undecided"
    stock = held.state if held else "never reserved"
    if order.status is OrderStatus.PENDING:
        yield Violation(Kind.OVERDUE, subject, "pending beyond its deadline and the horizon")
    if placed and money != Outcome.CAPTURED:
        yield Violation(Kind.UNPAID, subject, f"the order is placed, its money is {money}")
    if placed and stock != ReservationState.COMMITTED:
        yield Violation(Kind.UNTAKEN, subject, f"the order is placed, its stock is {stock}")
    if not placed and money == Outcome.CAPTURED:
        yield Violation(Kind.LOST_MONEY, subject, f"money was taken, the order is {order.status}")
    if not placed and stock == ReservationState.COMMITTED:
        yield Violation(Kind.LOST_STOCK, subject, f"stock was taken, the order is {order.status}")
    if stock == ReservationState.OPEN:
        yield Violation(Kind.STILL_OPEN, subject, f"stock is held, the order is {order.status}")


def _amounts(
    order: Order, verdict: Verdict | None, held: Reservation | None
) -> Iterator[Violation]:
    """Charge = sum of the reserved prices = order total, for the lines that were ordered."""
    if held is None:
        return
    subject, due = str(order.order_id), total_of(held.lines) if held.lines else None
    if verdict is not None and verdict.outcome is Outcome.CAPTURED and verdict.amount != due:
        yield Violation(Kind.WRONG_AMOUNT, subject, f"charged {verdict.amount}, reserved {due}")
    if order.status is OrderStatus.PLACED and order.total != due:
        yield Violation(Kind.WRONG_AMOUNT, subject, f"total {order.total}, reserved {due}")
    if order.status is OrderStatus.PLACED and order.lines != held.lines:
        yield Violation(Kind.WRONG_LINES, subject, "the order's lines are not the reserved ones")
    tombstone = held.state is ReservationState.RELEASED and not held.lines
    if not tombstone and _pieces(held.lines) != _pieces(order.basket.lines):
        yield Violation(Kind.WRONG_LINES, subject, "what was reserved is not what was ordered")


def _telling(order: Order, told: list[Notification]) -> Iterator[Violation]:
    """Every PLACED order has exactly one notification, recorded or parked; others have none."""
    subject = str(order.order_id)
    if order.status is not OrderStatus.PLACED:
        if told:
            yield Violation(Kind.TOLD_WRONGLY, subject, f"notified, the order is {order.status}")
        return
    if len(told) > 1:
        yield Violation(Kind.TOLD_TWICE, subject, f"{len(told)} notifications")
    if all(row.state is NotificationState.PENDING for row in told):
        yield Violation(Kind.UNTOLD, subject, "no notification is recorded or parked")


def _identities(books: Books) -> Iterator[Violation]:
    """One verdict and one reservation an order, and none of an order nobody knows."""
    known = {record.order.order_id for record in books.orders}
    decided = Counter(verdict.order_id for verdict in books.verdicts)
    reserved = Counter(held.order_id for held in books.reservations)
    told = Counter(notification.order_id for notification in books.notifications)
    for kind, rows in ((Kind.DECIDED_TWICE, decided), (Kind.RESERVED_TWICE, reserved)):
        for order_id, count in rows.items():
            if count > 1:
                yield Violation(kind, str(order_id), f"{count} rows")
    for book, rows in (("payments", decided), ("inventory", reserved), ("notifications", told)):
        for order_id in rows.keys() - known:
            yield Violation(Kind.UNKNOWN_ORDER, str(order_id), f"{book} has it, orders has not")


def _stock(books: Books) -> Iterator[Violation]:
    """Stock is never negative, and what came in is free, held or taken."""
    gone = Counter[str]()
    for held in books.reservations:
        if held.state is not ReservationState.RELEASED:
            gone.update(_pieces(held.lines))
    for article in books.articles:
        if article.stock < 0:
            yield Violation(Kind.OVERSOLD, article.sku, f"{article.stock} pieces in stock")
        if article.received != article.stock + gone[article.sku]:
            yield Violation(
                Kind.UNBALANCED,
                article.sku,
                f"{article.received} received; {article.stock} free, {gone[article.sku]} reserved",
            )


def _pieces(lines: Iterable[Line]) -> dict[str, int]:
    return {line.sku: line.quantity for line in lines}
