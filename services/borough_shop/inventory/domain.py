"""Prices, stock and the transitions of a reservation; the interface of the store. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from borough.errors import Invalid
from borough_shop.errors import (
    CommitAfterRelease,
    OutOfStock,
    ReleaseAfterCommit,
    Released,
    UnknownSku,
)
from borough_shop.inventory.contract import MenuItem, Reservation
from borough_shop.values import Line, Money, PricedLine


@dataclass(frozen=True, slots=True)
class Article:
    """An article. `stock` pieces are free; `received` pieces were ever put in."""

    sku: str
    name: str
    price: Money
    stock: int
    received: int

    def as_menu_item(self) -> MenuItem:
        """The article as a customer sees it."""
        return MenuItem(sku=self.sku, name=self.name, price=self.price, available=self.stock > 0)


def priced(lines: tuple[Line, ...], articles: Mapping[str, Article]) -> tuple[PricedLine, ...]:
    """The lines at today's prices, sorted by SKU, the order in which articles are locked.

    Raises UnknownSku naming all that are unknown, and Invalid when currencies differ.
    """
    if unknown := sorted({line.sku for line in lines} - set(articles)):
        raise UnknownSku(f"there is no article {', '.join(unknown)} on the menu")
    if len({articles[line.sku].price.currency for line in lines}) > 1:
        raise Invalid("one order cannot mix articles of several currencies")
    return tuple(
        PricedLine(sku=line.sku, quantity=line.quantity, price=articles[line.sku].price)
        for line in sorted(lines, key=lambda line: line.sku)
    )


def out_of_stock(line: Line) -> OutOfStock:
    """Fewer pieces are left than the line asks for."""
    return OutOfStock(f"{line.sku} is out of stock: {line.quantity} asked for, fewer are left")


def released(order_id: UUID) -> Released:
    """A reserve that comes after its release."""
    return Released(f"order {order_id} was released before: nothing can be reserved for it")


def commit_after_release(order_id: UUID) -> CommitAfterRelease:
    """A commit of an order without a reservation."""
    return CommitAfterRelease(f"order {order_id} holds no stock that could be committed")


def release_after_commit(order_id: UUID) -> ReleaseAfterCommit:
    """A release of stock that is committed."""
    return ReleaseAfterCommit(f"the stock of order {order_id} is committed and cannot be released")


class StockStore(Protocol):
    """Keeps articles and reservations. Every method is one transaction, guarded row by row."""

    async def receive(self, articles: tuple[Article, ...]) -> None:
        """Put articles on the menu; existing ones are not changed."""
        ...

    async def articles(self) -> tuple[Article, ...]:
        """Every article, sorted by SKU."""
        ...

    async def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        """Hold all lines or none; for a known order id its row is returned, for any lines.

        Raises UnknownSku, OutOfStock, Invalid, and Released on a tombstone.
        """
        ...

    async def commit(self, order_id: UUID, at: datetime) -> Reservation:
        """OPEN becomes COMMITTED; COMMITTED stays. Raises CommitAfterRelease."""
        ...

    async def release(self, order_id: UUID, at: datetime) -> Reservation:
        """OPEN becomes RELEASED and its stock is returned; without a row, a RELEASED row without
        lines (a tombstone) is written; RELEASED stays. Raises ReleaseAfterCommit.
        """
        ...

    async def ledger(self) -> tuple[Reservation, ...]: ...
