"""Every metric, label and span attribute of the operator, as data: whoever tells them and whoever
asks for them reads it here.

What is told of a scaler bears its namespace and name and is rendered from the registry as it is
scraped; a scaler that goes takes its series with it. Every other label takes few values, all known
beforehand, except the goals of a scaler, of which its schema allows few.
"""

from dataclasses import dataclass
from typing import Literal

LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds a tick may be late: nobody notices the first, and the last has cost whole intervals."""
DECISION_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
"""Seconds of arithmetic."""
READ_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds of a query to a Prometheus, or of a round of scrapes."""

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


SCALER = ("namespace", "scaler")


def _of_a_scaler(name: str, about: str, *labels: str, kind: Kind = "gauge") -> Signal:
    return Signal(f"borough_scaler_{name}", about, kind, (*SCALER, *labels))


# -- of every scaler

SCALER_INFO = Signal(
    "borough_scaler",
    "What it scales, and what it may.",
    "info",
    (*SCALER, "kind", "target", "mode"),
)
CURRENT = _of_a_scaler("current_replicas", "Replicas its target is asked to have.")
READY = _of_a_scaler("ready_replicas", "Ready pods of the target's newest template.")
DESIRED = _of_a_scaler(
    "desired_replicas", "Replicas the last decision says the target should have."
)
ADVISED = _of_a_scaler("advised_replicas", "What the target would be given, were the mode Auto.")
MINIMUM = _of_a_scaler("min_replicas", "The fewest it may have.")
MAXIMUM = _of_a_scaler("max_replicas", "The most it may have.")
HPA = _of_a_scaler(
    "hpa_replicas",
    "What a HorizontalPodAutoscaler with its defaults would have, fed the same readings.",
)
REASON = _of_a_scaler("reason", "1 for why the last decision is what it is.", "reason")
CONDITION = _of_a_scaler(
    "condition",
    "1 where a condition holds, 0 where it does not; nothing while that is unknown.",
    "condition",
)
GOAL_REPLICAS = _of_a_scaler("goal_replicas", "Replicas a goal asks for.", "goal")
GOAL_VALUE = _of_a_scaler("goal_value", "What was read for a goal.", "goal")
GOAL_FRESHNESS = _of_a_scaler(
    "goal_freshness", "1 for how far a goal's reading is trusted.", "goal", "freshness"
)
METRIC_AGE = _of_a_scaler(
    "metric_age_seconds", "Since when a goal's reading has been true.", "goal"
)
REPLICA_SECONDS = _of_a_scaler(
    "replica_seconds",
    "What the decisions said, which in mode Auto is what the target had (ours), what the HPA's"
    " answer would have been (hpa), and the maximum all the time (max).",
    "who",
    kind="counter",
)
CORE_SECONDS = _of_a_scaler(
    "core_seconds", "The same, times the CPU one replica requests.", "who", kind="counter"
)
CHANGES = _of_a_scaler("changes", "Numbers given to the target.", "direction", kind="counter")
REVERSALS = _of_a_scaler("reversals", "Changes against the one before.", kind="counter")

# -- of the operator

DECISIONS = Signal("borough_operator_decisions", "Decisions, by reason.", "counter", ("reason",))
DECISION_DURATION = Signal(
    "borough_operator_decision_duration_seconds",
    "Time to decide about one scaler, without reading and writing.",
    "histogram",
    buckets=DECISION_BUCKETS,
)
TICK_LAG = Signal(
    "borough_operator_tick_lag_seconds",
    "How long after its time a scaler's decision began.",
    "histogram",
    buckets=LAG_BUCKETS,
)
WATCH_DEAF = Signal(
    "borough_operator_watch_deaf_seconds",
    "For how long a watch has owed what a list showed; 0 where all is well.",
    "gauge",
    ("resource",),
)
API_REQUESTS = Signal(
    "borough_operator_api_requests",
    "Requests to the API server of the operator's own, by how it answered.",
    "counter",
    ("verb", "resource", "code"),
)
SOURCE_READS = Signal(
    "borough_operator_source_reads",
    "Readings, by how far they can be trusted.",
    "counter",
    ("source", "outcome"),
)
SOURCE_DURATION = Signal(
    "borough_operator_source_read_duration_seconds",
    "Time a source took to read all that was due.",
    "histogram",
    ("source",),
    READ_BUCKETS,
)
SCALERS = Signal("borough_operator_scalers", "Scalers looked after, by mode.", "gauge", ("mode",))

ALL: tuple[Signal, ...] = tuple(value for value in vars().values() if isinstance(value, Signal))

# -- of a decision that changed something

SERVICE = "borough-operator"
"""What its spans are told under."""
SPAN_SCALER = "borough.scaler"
SPAN_TARGET = "borough.target"
SPAN_REASON = "borough.reason"
SPAN_BEFORE = "borough.replicas.before"
SPAN_AFTER = "borough.replicas.after"
SPAN_GOAL = "borough.goal"


def span_name(namespace: str, scaler: str) -> str:
    """What the span of a change is called, by which its scaler's are found."""
    return f"scale {namespace}/{scaler}"
