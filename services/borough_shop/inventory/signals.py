"""The metrics of inventory."""

from borough_telemetry.signals import Signal, declared

STOCK_OUTS = Signal("borough_stock_outs", "Reserves refused for want of stock.", "counter")
SETTLE_CONFLICTS = Signal(
    "borough_settle_conflicts",
    "Commits after release and releases after commit: must stay 0.",
    "counter",
    ("kind",),
)

ALL = declared(vars())
