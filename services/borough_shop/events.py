"""What has happened, told to others through the outbox: frozen facts with a schema version."""

from borough.capability import Message
from borough_shop.values import CustomerId, EventId, Moment, Money, OrderId, PricedLine

ORDER_PLACED_SCHEMA = 1


class OrderPlaced(Message):
    """An order was paid for and its stock is committed."""

    event_id: EventId
    schema_version: int
    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[PricedLine, ...]
    total: Money
    placed_at: Moment
