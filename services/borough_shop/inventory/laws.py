"""What must hold of stock: it is never negative, and what came in is free, held or taken."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from borough.audit import Ledgers, Violation
from borough_shop.inventory.contract import Inventory, Reservation, ReservationState
from borough_shop.inventory.domain import Article, StockStore

RESERVED_TWICE = "more-than-one-reservation"
OVERSOLD = "oversold"
UNBALANCED = "stock-not-conserved"


class StockBooks(NamedTuple):
    """Every reservation and every article."""

    reservations: tuple[Reservation, ...]
    articles: tuple[Article, ...]


async def read(store: StockStore) -> StockBooks:
    """All rows of inventory."""
    return StockBooks(await store.ledger(), await store.articles())


def stock_is_conserved(ledgers: Ledgers) -> Iterator[Violation]:
    """Stock is never negative, and what came in is free, held or taken."""
    own: StockBooks = ledgers.of[Inventory.name]
    gone = Counter[str]()
    for held in own.reservations:
        if held.state is not ReservationState.RELEASED:
            gone.update({line.sku: line.quantity for line in held.lines})
    for article in own.articles:
        if article.stock < 0:
            yield Violation(OVERSOLD, article.sku, f"{article.stock} pieces in stock")
        if article.received != article.stock + gone[article.sku]:
            yield Violation(
                UNBALANCED,
                article.sku,
                f"{article.received} received; {article.stock} free, {gone[article.sku]} reserved",
            )


def each_order_is_reserved_once(ledgers: Ledgers) -> Iterator[Violation]:
    """One reservation an order."""
    own: StockBooks = ledgers.of[Inventory.name]
    for order_id, count in Counter(held.order_id for held in own.reservations).items():
        if count > 1:
            yield Violation(RESERVED_TWICE, str(order_id), f"{count} rows")


LAWS = (stock_is_conserved, each_order_is_reserved_once)
