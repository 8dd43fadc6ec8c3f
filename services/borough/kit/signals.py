"""Every metric, label and span attribute, as data: dashboards, rules and tests read it here.

Request metrics bear the stable names of the OpenTelemetry semantic conventions, process metrics
those of the Prometheus clients. Labels are bounded: a route is a template, never a path; nothing
here ever holds an id or a host.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The bounds the semantic conventions advise for HTTP durations, in seconds."""
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
"""Below the first an event loop is well; above the last nobody waits for it any more."""

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric: its name without the suffix the exposition adds, what it says, its labels.

    A histogram has the upper bounds of its buckets, ascending, without the infinite one.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """The name that queries know: of a counter or an info, with its suffix."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


# -- requests

SERVER_DURATION = Signal(
    "http_server_request_duration_seconds",
    "Time from a request's arrival to the last byte of its answer.",
    "histogram",
    ("http_request_method", "http_route", "http_response_status_code"),
    SECONDS_BUCKETS,
)
CLIENT_DURATION = Signal(
    "http_client_request_duration_seconds",
    "Time of one try of a call to a peer, encoding and decoding included; the status is 0 where"
    " none came back.",
    "histogram",
    ("peer", "method", "http_response_status_code"),
    SECONDS_BUCKETS,
)
ACTIVE_REQUESTS = Signal("http_server_active_requests", "Requests being handled.", "gauge")
HOP_HANDLER = Signal(
    "borough_hop_handler_seconds",
    "Time in the business of calls to a peer, as the peer told in Server-Timing.",
    "counter",
    ("peer", "method"),
)
HOP_SERVER = Signal(
    "borough_hop_server_seconds",
    "Time in the server of calls to a peer, its business included, as the peer told.",
    "counter",
    ("peer", "method"),
)
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

# -- business

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

BUILD_INFO = Signal(
    "borough_build", "What runs here.", "info", ("version", "part", "shape", "capabilities")
)
LOOP_LAG = Signal(
    "borough_event_loop_lag_seconds",
    "How late the event loop turned to a timer, four times a second.",
    "histogram",
    (),
    LAG_BUCKETS,
)
SPANS_EXPORTED = Signal("borough_spans_exported", "Spans a collector has taken.", "counter")
SPANS_DROPPED = Signal(
    "borough_spans_dropped", "Spans that were lost, by reason.", "counter", ("reason",)
)

ALL: tuple[Signal, ...] = tuple(value for value in vars().values() if isinstance(value, Signal))

PROCESS = (
    Signal("process_cpu_seconds", "Total user and system CPU time spent in seconds.", "counter"),
    Signal("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge"),
    Signal("process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge"),
    Signal(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        "gauge",
    ),
    Signal("process_open_fds", "Number of open file descriptors.", "gauge"),
    Signal("process_max_fds", "Maximum number of open file descriptors.", "gauge"),
    Signal(
        "python_gc_collections",
        "Number of times this generation was collected",
        "counter",
        ("generation",),
    ),
    Signal(
        "python_gc_objects_collected", "Objects collected during gc", "counter", ("generation",)
    ),
    Signal(
        "python_gc_objects_uncollectable",
        "Uncollectable objects found during GC",
        "counter",
        ("generation",),
    ),
    Signal(
        "python_info",
        "Python platform information",
        "gauge",
        ("implementation", "major", "minor", "patchlevel", "version"),
    ),
)
"""What prometheus_client tells of any process, in its own words."""

UNMATCHED = "unmatched"
"""The route label of a request that no route matched."""

CAPABILITY = "borough.capability"
METHOD = "borough.method"
PEER = "borough.peer"

ATTRIBUTES: Mapping[str, str] = {
    CAPABILITY: "The capability whose work the span is: of a server span or a call in the process.",
    METHOD: "The contract method, where the span is one.",
    PEER: "The capability that is called: of a client span.",
    "http.request.method": "The method; `_OTHER` where HTTP does not know it.",
    "http.route": "The route's template: of a server span that a route matched.",
    "http.response.status_code": "The status; missing where no answer came.",
    "url.path": "The path as it was asked for: of a server span.",
    "url.full": "The address as it was asked for: of a client span.",
    "url.scheme": "http or https: of a server span.",
    "error.type": "The status or the error, where the span failed.",
}
"""Every attribute of a span."""
