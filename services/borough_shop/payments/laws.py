"""What must hold of verdicts: one an order."""

from collections import Counter
from collections.abc import Iterator

from borough.audit import Ledgers, Violation
from borough_shop.payments.contract import Payments

DECIDED_TWICE = "more-than-one-verdict"


def each_order_is_decided_once(ledgers: Ledgers) -> Iterator[Violation]:
    """One verdict an order."""
    for order_id, count in Counter(v.order_id for v in ledgers.of[Payments.name]).items():
        if count > 1:
            yield Violation(DECIDED_TWICE, str(order_id), f"{count} rows")


LAWS = (each_order_is_decided_once,)
