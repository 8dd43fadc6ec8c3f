"""The contract of orders: an order is placed once, also after failures and retries."""

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from borough.capability import Capability, Message, post, read
from borough.errors import BoroughError, Conflict, Invalid
from borough.events import Event
from borough_shop.errors import Abandoned, OutOfStock, PaymentDeclined, ProfileMissing, UnknownSku
from borough_shop.values import Basket, CustomerId, Moment, Money, OrderId, PricedLine

IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]


class PlaceOrder(Message):
    """A customer's basket, with an idempotency key."""

    customer_id: CustomerId
    key: IdempotencyKey
    basket: Basket


class OrderStatus(StrEnum):
    """PENDING becomes PLACED or REJECTED, once, and stays so."""

    PENDING = "pending"
    PLACED = "placed"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why an order was rejected. The value is the code of its problem document."""

    OUT_OF_STOCK = "out-of-stock"
    UNKNOWN_SKU = "unknown-sku"
    INVALID = "invalid"
    PROFILE_MISSING = "profile-missing"
    DECLINED = "payment-declined"
    ABANDONED = "abandoned"


class Order(Message):
    """An order as its customer sees it.

    `lines` and `total` are set once it is placed, `reason` and `detail` once it is rejected;
    `settled_at` in both cases.
    """

    order_id: OrderId
    customer_id: CustomerId
    status: OrderStatus
    basket: Basket
    lines: tuple[PricedLine, ...] = ()
    total: Money | None = None
    reason: Reason | None = None
    detail: str | None = None
    created_at: Moment
    settled_at: Moment | None = None


_ERRORS = (OutOfStock, UnknownSku, Invalid, ProfileMissing, PaymentDeclined, Abandoned)
ERROR_OF: dict[Reason, type[BoroughError]] = {Reason(error.code): error for error in _ERRORS}


def error_of(order: Order) -> BoroughError:
    """The error of a rejected order, at every door and for every repetition."""
    if order.reason is None:
        raise Conflict(f"order {order.order_id} was not rejected")
    return ERROR_OF[order.reason](order.detail or "", about={"order_id": str(order.order_id)})


class Placement(Message):
    """The result of `place`: the order, and whether it existed before this call."""

    order: Order
    replayed: bool


class GetOrder(Message):
    """An order of this customer; for that of another customer NotFound is raised."""

    order_id: OrderId
    customer_id: CustomerId


class ListOrders(Message):
    """A page of a customer's orders, newest first, older than `before`."""

    customer_id: CustomerId
    before: OrderId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class OrderPage(Message):
    """`next_before` is the `before` of the next page; None on the last."""

    orders: tuple[Order, ...]
    next_before: OrderId | None = None


class Orders(Capability, Protocol, path="/orders"):
    """Creates exactly one order of a basket: placed and paid, or rejected and undone."""

    @post("", idempotent=True)
    async def place(self, request: PlaceOrder) -> Placement:
        """Place the order, or return the stored one of the same customer and key, PENDING included.

        Raises KeyReused if the key was used for another basket.
        """
        ...

    @read("/{order_id}")
    async def get(self, request: GetOrder) -> Order:
        """Raises NotFound."""
        ...

    @read("")
    async def list(self, request: ListOrders) -> OrderPage: ...


ORDER_PLACED_SCHEMA = 1


class OrderPlaced(Event, name="order-placed"):
    """An order was paid for and its stock is committed."""

    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[PricedLine, ...]
    total: Money
    placed_at: Moment
