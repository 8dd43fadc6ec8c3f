"""Metrics, labels and span attributes as data.

Request metrics have the stable names of the OpenTelemetry semantic conventions, process metrics
those of the Prometheus clients. Labels are bounded: a route is a template, never a path; no label
holds an id or a host.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The bounds that the semantic conventions advise for HTTP durations, in seconds."""

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric: its name without the suffix that the exposition adds, its help, its labels. The
    buckets of a histogram are their upper bounds, ascending, without the infinite one.

        RENEWALS = Signal("library_renewals", "Loans that were renewed.", "counter")
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """The name in queries: that of a counter or an info has a suffix."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


def declared(module: Mapping[str, object]) -> tuple[Signal, ...]:
    """The signals of a module, given its `vars()`, in their order."""
    return tuple(value for value in module.values() if isinstance(value, Signal))


def names(signals: Iterable[Signal]) -> frozenset[str]:
    """Every name of these signals in an exposition, suffixes included."""
    suffixes = ("", "_total", "_created", "_info", "_bucket", "_count", "_sum")
    return frozenset(signal.name + suffix for signal in signals for suffix in suffixes)


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
    "Time in the handlers of calls to a peer, as the peer reports in Server-Timing.",
    "counter",
    ("peer", "method"),
)
HOP_SERVER = Signal(
    "borough_hop_server_seconds",
    "Time in the server of calls to a peer, handlers included, as the peer reports.",
    "counter",
    ("peer", "method"),
)
BUILD_INFO = Signal(
    "borough_build", "What this process runs.", "info", ("version", "part", "shape", "capabilities")
)
SPANS_EXPORTED = Signal("borough_spans_exported", "Spans a collector has taken.", "counter")
SPANS_DROPPED = Signal(
    "borough_spans_dropped", "Spans that were lost, by reason.", "counter", ("reason",)
)

OWN = declared(vars())
"""The signals of every part; `Telemetry` takes more."""

_GC = ("generation",)
_PYTHON = ("implementation", "major", "minor", "patchlevel", "version")
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
        "python_gc_collections", "Number of times this generation was collected", "counter", _GC
    ),
    Signal("python_gc_objects_collected", "Objects collected during gc", "counter", _GC),
    Signal(
        "python_gc_objects_uncollectable", "Uncollectable objects found during GC", "counter", _GC
    ),
    Signal("python_info", "Python platform information", "gauge", _PYTHON),
)
"""The metrics of prometheus_client's collectors of any process, with their own help."""

UNMATCHED = "unmatched"
"""The route label of a request that no route matched."""

CAPABILITY = "borough.capability"
METHOD = "borough.method"
PEER = "borough.peer"

ATTRIBUTES: Mapping[str, str] = {
    CAPABILITY: "The capability whose work the span is: of a server span or a call in the process.",
    METHOD: "The contract method, where the span is one.",
    PEER: "The capability that is called: of a client span.",
    "http.request.method": "The method; `_OTHER` where HTTP does not define it.",
    "http.route": "The route's template: of a server span that a route matched.",
    "http.response.status_code": "The status; missing where no answer came.",
    "url.path": "The path of the request: of a server span.",
    "url.full": "The address of the request: of a client span.",
    "url.scheme": "http or https: of a server span.",
    "error.type": "The status or the error, where the span failed.",
}
"""Every attribute of a span."""
