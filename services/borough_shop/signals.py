"""The metrics of the shop's business, as data: dashboards, rules and tests read them here."""

from borough import signals
from borough_telemetry.signals import OWN, Signal, declared

ORDERS = Signal(
    "borough_orders", "Orders settled, by outcome and reason.", "counter", ("outcome", "reason")
)
VERDICTS = Signal("borough_verdicts", "Verdicts written, by outcome.", "counter", ("outcome",))
STOCK_OUTS = Signal("borough_stock_outs", "Reserves refused for want of stock.", "counter")
SETTLE_CONFLICTS = Signal(
    "borough_settle_conflicts",
    "Commits after release and releases after commit: must stay 0.",
    "counter",
    ("kind",),
)
DELIVERIES = Signal(
    "borough_outbox_deliveries", "Outbox deliveries, by result.", "counter", ("result",)
)
OUTBOX_AGE = Signal(
    "borough_outbox_oldest_age_seconds",
    "Age of the oldest event this part knows to be untold; 0 where all are told.",
    "gauge",
)
PARKED = Signal("borough_notifications_parked", "Events parked after too many tries.", "counter")
RECONCILE_QUEUE = Signal(
    "borough_reconcile_queue", "Overdue orders found by the last round of reconcile.", "gauge"
)

OURS = (*signals.OURS, *declared(vars()))
"""What a part declares beside the signals of telemetry."""
ALL = (*OWN, *OURS)
