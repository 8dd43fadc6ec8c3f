"""The public schemas of the doors, which are versioned independently of the contracts.

A door refuses unknown fields, so that a misspelt field is not taken for an absent one. Money,
identifiers and limits are those of the contracts.
"""

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from borough_shop.gateway.policy import encode_cursor
from borough_shop.inventory.contract import Menu
from borough_shop.orders.contract import Order, OrderPage, OrderStatus, Reason
from borough_shop.payments.contract import CardToken
from borough_shop.profiles.contract import Email, PersonName, Profile
from borough_shop.values import Basket, CustomerId, Line, Moment, Money, OrderId, Quantity, Sku

MASKED = "tok_****"
"""Replaces a card token in responses. It is not a valid token, so writing it is refused."""


def _whole(number: object) -> object:
    """Accept 2.0 as an integer, as JSON Schema does and some languages write it."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class LineIn(Line):
    """A quantity of one article."""

    model_config = ConfigDict(extra="forbid")

    quantity: Annotated[Quantity, BeforeValidator(_whole)]


class OrderIn(Basket):
    """An order: 1 to 50 lines, each article at most once."""

    model_config = ConfigDict(extra="forbid")

    lines: Annotated[tuple[LineIn, ...], Field(min_length=1, max_length=50)]

    def basket(self) -> Basket:
        """The order as a message of the contract; unset fields stay unset."""
        return Basket.model_validate(self.model_dump(exclude_unset=True))


class ProfileIn(BaseModel):
    """Your name, email address and card token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PersonName
    email: Email
    card_token: CardToken = Field(repr=False)


class PageIn(BaseModel):
    """Which page of a list: where it begins, and how long it is at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: str | None = Field(None, description="The `next_cursor` of the page before.")
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class Out(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class MenuItemOut(Out):
    """An article, its price a piece, and whether any is left."""

    sku: Sku
    name: str
    price: Money
    available: bool


class MenuOut(Out):
    """Every article, sorted by SKU."""

    items: tuple[MenuItemOut, ...]

    @classmethod
    def of(cls, menu: Menu) -> Self:
        return cls.model_validate(menu)


class LineOut(Out):
    """A line; `price` per piece is set once the order is placed."""

    sku: Sku
    quantity: Quantity
    price: Money | None = None


class OrderOut(Out):
    """An order. `total` is set once it is placed, `reason` and `detail` once it is rejected."""

    order_id: OrderId
    status: OrderStatus
    lines: tuple[LineOut, ...]
    total: Money | None
    reason: Reason | None
    detail: str | None
    created_at: Moment
    settled_at: Moment | None

    @classmethod
    def of(cls, order: Order) -> Self:
        lines = order.lines or order.basket.lines
        return cls.model_validate({**dict(order), "lines": lines})


class OrderPageOut(Out):
    """A page of orders, newest first; `next_cursor` is null on the last."""

    orders: tuple[OrderOut, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, page: OrderPage) -> Self:
        orders = tuple(map(OrderOut.of, page.orders))
        return cls(orders=orders, next_cursor=encode_cursor(page.next_before))


class ProfileOut(Out):
    """A customer; the card token is masked."""

    customer_id: CustomerId
    name: str
    email: str
    card_token: str = MASKED

    @classmethod
    def of(cls, profile: Profile) -> Self:
        return cls(customer_id=profile.customer_id, name=profile.name, email=profile.email)
