"""The contract of inventory: the menu, and stock held for orders."""

from enum import StrEnum
from typing import Protocol

from borough.capability import Capability, Message, post, read
from borough_shop.values import Line, Money, OrderId, PricedLine, Sku


class MenuRequest(Message):
    """No fields: there is one menu."""


class MenuItem(Message):
    """An article, its price a piece, and whether any is left."""

    sku: Sku
    name: str
    price: Money
    available: bool


class Menu(Message):
    """Every article, sorted by SKU."""

    items: tuple[MenuItem, ...]


class Reserve(Message):
    """Hold these lines for this order."""

    order_id: OrderId
    lines: tuple[Line, ...]


class ReservationState(StrEnum):
    """OPEN becomes COMMITTED or RELEASED, once, and stays so."""

    OPEN = "open"
    COMMITTED = "committed"
    RELEASED = "released"


class Reservation(Message):
    """Stock held for an order, at the prices when it was reserved.

    `lines` is empty for a tombstone: a release that came before any reserve.
    """

    order_id: OrderId
    state: ReservationState
    lines: tuple[PricedLine, ...]


class OrderRef(Message):
    order_id: OrderId


class Inventory(Capability, Protocol, path="/inventory"):
    """Holds stock for orders and never oversells. Every method is idempotent by order id."""

    @read("/menu")
    async def menu(self, request: MenuRequest) -> Menu: ...

    @post("/reservations", idempotent=True)
    async def reserve(self, request: Reserve) -> Reservation:
        """Hold all lines or none; for a known order id it returns the existing row.

        Raises UnknownSku, OutOfStock, and Released when the order was released before.
        """
        ...

    @post("/commits", idempotent=True)
    async def commit(self, request: OrderRef) -> Reservation:
        """Take the held stock permanently; returns its lines and prices.

        Raises CommitAfterRelease, also if nothing was ever reserved.
        """
        ...

    @post("/releases", idempotent=True)
    async def release(self, request: OrderRef) -> Reservation:
        """Return the held stock; without a reservation, write a tombstone that refuses a late one.

        Raises ReleaseAfterCommit.
        """
        ...
