"""Valid values of every kind, for tests that care about few of their fields. Numbered ids sort."""

from datetime import datetime
from uuid import UUID

from borough.testing.clock import MORNING
from borough_shop.inventory.domain import Article
from borough_shop.orders.contract import ORDER_PLACED_SCHEMA, Order, OrderPlaced, OrderStatus
from borough_shop.profiles.contract import Profile
from borough_shop.values import Basket, Line, Money, PricedLine, total_of


def an_id(number: int) -> UUID:
    """The id of this number."""
    return UUID(int=(0x7 << 76) | (0b10 << 62) | number)


def an_order(number: int = 1, *, customer_id: str = "ada", at: datetime = MORNING) -> Order:
    """A pending order of two espressos."""
    return Order(
        order_id=an_id(number),
        customer_id=customer_id,
        status=OrderStatus.PENDING,
        basket=basket(espresso=2),
        created_at=at,
    )


def an_event(order: Order, *, number: int | None = None, at: datetime = MORNING) -> OrderPlaced:
    """That the order was placed. Its id is the order's, unless it has a number of its own."""
    lines = tuple(
        PricedLine(sku=line.sku, quantity=line.quantity, price=euros(2.5))
        for line in order.basket.lines
    )
    return OrderPlaced(
        event_id=order.order_id if number is None else an_id(number),
        schema_version=ORDER_PLACED_SCHEMA,
        order_id=order.order_id,
        customer_id=order.customer_id,
        lines=lines,
        total=total_of(lines),
        placed_at=at,
    )


def an_article(sku: str = "espresso", stock: int = 10, price: float = 2.5) -> Article:
    """An article of which nothing was sold yet."""
    return Article(sku=sku, name=sku.title(), price=euros(price), stock=stock, received=stock)


def a_profile(customer_id: str = "ada", *, email: str = "ada@example.org") -> Profile:
    """A customer whose card is good."""
    return Profile(
        customer_id=customer_id, name="Ada", email=email, card_token=f"tok_good_{customer_id}"
    )


def basket(**quantities: int) -> Basket:
    """`basket(espresso=2, flat_white=1)`: underscores stand for the hyphens of a SKU."""
    return Basket(lines=lines(**quantities))


def lines(**quantities: int) -> tuple[Line, ...]:
    """The lines of such a basket."""
    return tuple(Line(sku=sku.replace("_", "-"), quantity=n) for sku, n in quantities.items())


def euros(amount: float) -> Money:
    """So much money."""
    return Money(minor=round(amount * 100), currency="EUR")
