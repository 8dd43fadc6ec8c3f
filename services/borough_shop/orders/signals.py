"""The metrics of orders."""

from borough_telemetry.signals import Signal, declared

ORDERS = Signal(
    "borough_orders", "Orders settled, by outcome and reason.", "counter", ("outcome", "reason")
)
RECONCILE_QUEUE = Signal(
    "borough_reconcile_queue", "Overdue orders found by the last round of reconcile.", "gauge"
)

ALL = declared(vars())
