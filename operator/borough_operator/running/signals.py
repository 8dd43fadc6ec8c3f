"""Every metric, label and span attribute of the operator, as data for exporter and dashboards.

Series of a scaler have its namespace and name, are rendered from the registry at each scrape, and
end with the scaler. Every other label has few values, known in advance, except the goals of a
scaler, whose number the schema limits.
"""

from dataclasses import dataclass
from typing import Literal

LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds of delay, from unnoticeable to several intervals."""
DECISION_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
"""Seconds of computation."""
READ_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds of a query to Prometheus, or of a round of scrapes."""

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric: its name without the suffix of its kind, its help text, its labels.

    `buckets` are the upper bounds of a histogram, ascending, without +Inf.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> str:
        """The name in queries, with the suffix of a counter or an info."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


SCALER = ("namespace", "scaler")


def _per_scaler(name: str, about: str, *labels: str, kind: Kind = "gauge") -> Signal:
    return Signal(f"borough_scaler_{name}", about, kind, (*SCALER, *labels))


# -- of each scaler

SCALER_INFO = Signal(
    "borough_scaler", "Target and mode of a scaler.", "info", (*SCALER, "kind", "target", "mode")
)
CURRENT = _per_scaler("current_replicas", "Replicas in the target's spec.")
READY = _per_scaler("ready_replicas", "Ready pods of the target's newest template.")
DESIRED = _per_scaler("desired_replicas", "Replicas by the last decision.")
ADVISED = _per_scaler("advised_replicas", "Replicas that mode Auto would write.")
MINIMUM = _per_scaler("min_replicas", "Minimum replicas of the spec.")
MAXIMUM = _per_scaler("max_replicas", "Maximum replicas of the spec.")
HPA = _per_scaler(
    "hpa_replicas",
    "Replicas of a simulated HorizontalPodAutoscaler with its defaults and the same readings.",
)
REASON = _per_scaler("reason", "1 for the reason of the last decision.", "reason")
CONDITION = _per_scaler(
    "condition",
    "1 where a condition is true, 0 where it is false; absent while it is unknown.",
    "condition",
)
GOAL_REPLICAS = _per_scaler("goal_replicas", "Replicas that a goal demands.", "goal")
GOAL_VALUE = _per_scaler(
    "goal_value",
    "Reading of a goal: requests per second, requests in flight, seconds, or the query's number.",
    "goal",
)
GOAL_FRESHNESS = _per_scaler(
    "goal_freshness", "1 for the freshness of a goal's reading.", "goal", "freshness"
)
METRIC_AGE = _per_scaler("metric_age_seconds", "Age of a goal's reading.", "goal")
REPLICA_SECONDS = _per_scaler(
    "replica_seconds",
    "Replicas over time: of the decisions (scaler), of the simulated HPA (hpa), and of the maximum"
    " all the time (max).",
    "policy",
    kind="counter",
)
CORE_SECONDS = _per_scaler(
    "core_seconds", "The same, times the CPU one replica requests.", "policy", kind="counter"
)
CHANGES = _per_scaler("changes", "Changes of the target's number.", "direction", kind="counter")
REVERSALS = _per_scaler(
    "reversals", "Changes against the direction of the one before.", kind="counter"
)

# -- of the operator

DECISIONS = Signal("borough_operator_decisions", "Decisions, by reason.", "counter", ("reason",))
DECISION_DURATION = Signal(
    "borough_operator_decision_duration_seconds",
    "Time to compute one decision, without reads and writes.",
    "histogram",
    buckets=DECISION_BUCKETS,
)
TICK_LAG = Signal(
    "borough_operator_tick_lag_seconds",
    "Delay of an evaluation after its due time.",
    "histogram",
    buckets=LAG_BUCKETS,
)
WATCH_LAG = Signal(
    "borough_operator_watch_lag_seconds",
    "Time since a list showed an object that the watch has not delivered; 0 where there is none.",
    "gauge",
    ("resource",),
)
API_REQUESTS = Signal(
    "borough_operator_api_requests",
    "Requests of the operator to the API server, by status code; without Kopf's.",
    "counter",
    ("verb", "resource", "code"),
)
SOURCE_READS = Signal(
    "borough_operator_source_reads", "Readings, by freshness.", "counter", ("source", "outcome")
)
SOURCE_DURATION = Signal(
    "borough_operator_source_read_duration_seconds",
    "Time of one read of a source.",
    "histogram",
    ("source",),
    READ_BUCKETS,
)
SCALERS = Signal("borough_operator_scalers", "Scalers served, by mode.", "gauge", ("mode",))

ALL: tuple[Signal, ...] = tuple(value for value in vars().values() if isinstance(value, Signal))

# -- the span of a change

SERVICE = "borough-operator"
"""The service name of its spans."""
SPAN_SCALER = "borough.scaler"
SPAN_TARGET = "borough.target"
SPAN_REASON = "borough.reason"
SPAN_BEFORE = "borough.replicas.before"
SPAN_AFTER = "borough.replicas.after"
SPAN_GOAL = "borough.goal"


def span_name(namespace: str, scaler: str) -> str:
    """The name of a change's span, by which the changes of a scaler are found."""
    return f"scale {namespace}/{scaler}"
