"""What a repeated placement may answer: one of the two is a replay, and says so."""

from borough.testing.transports import Outcome, same
from borough_shop.orders.contract import OrderStatus, Placement


def agree(first: Outcome, again: Outcome) -> bool:
    """As `same`, but for placements: the second is a replay of the first, of one order. Where both
    came at once, it may find the order still PENDING.
    """
    if not (isinstance(first, Placement) and isinstance(again, Placement)):
        return same(first, again)
    if not again.replayed:
        return False
    if again.order.status is OrderStatus.PENDING:
        return first.order.order_id == again.order.order_id
    return first.order == again.order
