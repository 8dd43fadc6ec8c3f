"""What must hold of verdicts: one an order."""

from collections import Counter
from collections.abc import Iterator

from borough.audit import Ledgers, Violation
from borough_shop.payments.contract import Payments, Verdict

DECIDED_TWICE = "more-than-one-verdict"


def each_order_is_decided_once(ledgers: Ledgers) -> Iterator[Violation]:
    """One verdict an order."""
    verdicts: tuple[Verdict, ...] = ledgers.of[Payments.name]
    for order_id, count in Counter(verdict.order_id for verdict in verdicts).items():
        if count > 1:
            yield Violation(DECIDED_TWICE, str(order_id), f"{count} rows")


LAWS = (each_order_is_decided_once,)
