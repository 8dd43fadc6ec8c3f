"""Every metric, label and span attribute, as data: dashboards, rules and tests read it here.

Request metrics bear the stable names of the OpenTelemetry semantic conventions. Labels are bounded:
a route is a template, never a path; nothing here ever holds an id or a host.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric: its name without the suffix the exposition adds, what it says, its labels."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    labels: tuple[str, ...] = ()


SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The bounds the semantic conventions advise for HTTP durations, in seconds."""

SERVER_DURATION = Signal(
    "http_server_request_duration_seconds",
    "Time from a request's arrival to the last byte of its answer.",
    "histogram",
    ("http_request_method", "http_route", "http_response_status_code"),
)
CLIENT_DURATION = Signal(
    "http_client_request_duration_seconds",
    "Time of one try of a call to a peer; the status is 0 where none came back.",
    "histogram",
    ("peer", "method", "http_response_status_code"),
)
ACTIVE_REQUESTS = Signal("http_server_active_requests", "Requests being handled.", "gauge")
BUILD_INFO = Signal(
    "borough_build", "What runs here.", "info", ("version", "part", "shape", "capabilities")
)
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
PARKED = Signal("borough_notifications_parked", "Events parked after too many tries.", "counter")
DELIVERIES = Signal(
    "borough_outbox_deliveries", "Outbox deliveries, by result.", "counter", ("result",)
)
RETRIES = Signal(
    "borough_client_retries", "Calls tried again, by cause.", "counter", ("peer", "cause")
)
BREAKER_OPENED = Signal("borough_breaker_opened", "Times a breaker opened.", "counter", ("peer",))

ALL: tuple[Signal, ...] = tuple(value for value in vars().values() if isinstance(value, Signal))

UNMATCHED = "unmatched"
"""The route label of a request that no route matched."""

CAPABILITY = "borough.capability"
"""Span attribute: the capability whose work the span is. Server spans and local calls bear it."""
METHOD = "borough.method"
"""Span attribute: the contract method, where the span is one."""
