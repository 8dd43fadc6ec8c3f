"""The metrics of a part, as data: dashboards, rules and tests read them here. Those of requests and
of the process are in `borough_telemetry.signals`.

Labels are bounded: no label holds an id or a host.
"""

from borough_telemetry.signals import Signal, declared

LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
"""A lag below the first bound is negligible; above the last, callers have timed out."""

# -- requests

RETRIES = Signal(
    "borough_client_retries", "Calls tried again, by cause.", "counter", ("peer", "cause")
)
RETRY_BUDGET = Signal(
    "borough_retry_budget", "Retries the door can afford at this moment.", "gauge"
)
BREAKER_OPENED = Signal("borough_breaker_opened", "Times a breaker opened.", "counter", ("peer",))
BREAKER_OPEN = Signal(
    "borough_breaker_open", "1 while calls to a peer are refused, else 0.", "gauge", ("peer",)
)
DEADLINE_EXCEEDED = Signal(
    "borough_deadline_exceeded",
    "What ended because its deadline was spent: a call to a capability, or the wait for a store.",
    "counter",
    ("where", "capability"),
)

# -- events

DELIVERIES = Signal(
    "borough_outbox_deliveries",
    "Deliveries of events, by consumer and result.",
    "counter",
    ("consumer", "result"),
)
OUTBOX_AGE = Signal(
    "borough_outbox_oldest_age_seconds",
    "Age of the oldest event not yet delivered to a consumer, as last looked up; else 0.",
    "gauge",
    ("consumer",),
)

# -- stores

STORE_TRANSACTIONS = Signal(
    "borough_store_transactions",
    "Transactions begun, by capability and kind.",
    "counter",
    ("capability", "kind"),
)
STORE_CONNECTIONS = Signal(
    "borough_store_connections_in_use",
    "Connections of a store in use, by pool: reader, writer, or shared by both.",
    "gauge",
    ("capability", "pool"),
)
STORE_LIMIT = Signal(
    "borough_store_connections_limit",
    "Connections of a store there can be.",
    "gauge",
    ("capability", "pool"),
)
STORE_WAIT = Signal(
    "borough_store_wait_seconds",
    "Time spent waiting for a connection of a store.",
    "counter",
    ("capability", "pool"),
)

# -- the process

LOOP_LAG = Signal(
    "borough_event_loop_lag_seconds",
    "How late the event loop turned to a timer, four times a second.",
    "histogram",
    (),
    LAG_BUCKETS,
)

OURS = declared(vars())
"""What the kit declares beside the signals of telemetry."""
