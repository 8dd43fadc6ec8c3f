"""A ServiceScaler as an object becomes the scaler that is served.

The API server has checked it by its schema, so this refuses only what no schema can see, or what an
older schema let in; and it refuses with a sentence, since that becomes a condition.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from borough_operator.decision.model import Behavior, Goal, GoalType, Mode, Policy
from borough_operator.moments import parse_duration, parse_time
from borough_operator.sources.protocol import Target

RESUME = "borough.dev/resume"
"""The annotation that ends holds begun before its time."""

Object = Mapping[str, Any]


class SpecInvalid(Exception):
    """A spec that cannot be served; the message names the field and says why."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """One ServiceScaler, read and checked."""

    namespace: str
    name: str
    uid: str
    generation: int
    target: Target
    policy: Policy
    source: str = "Prometheus"
    """Prometheus or Pods."""
    port: str = "metrics"
    """Of a pod's metrics: a name, or a number as text."""
    path: str = "/metrics"
    resume: float | None = None
    """Holds that began before this moment are over."""


def parse(obj: Object) -> Scaler:
    """The scaler that an object describes; what it leaves out has the schema's default.

    Raises SpecInvalid.
    """
    metadata, spec = obj["metadata"], obj.get("spec", {})
    try:
        reference = spec["targetRef"]
        source, port, path = _source(spec)
        return Scaler(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            target=Target(metadata["namespace"], reference["kind"], reference["name"]),
            policy=_policy(spec),
            source=source,
            port=port,
            path=path,
            resume=_resume(metadata.get("annotations") or {}),
        )
    except KeyError as error:
        raise SpecInvalid(f"the spec lacks {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise SpecInvalid(f"the spec cannot be read: {error}") from None


def _policy(spec: Object) -> Policy:
    plain = Policy(goals=())
    replicas = spec["replicas"]
    policy = Policy(
        goals=_goals(spec["goals"]),
        min_replicas=int(replicas.get("min", plain.min_replicas)),
        max_replicas=int(replicas["max"]),
        mode=Mode(spec.get("mode", plain.mode)),
        behavior=_behavior(spec.get("behavior", {})),
        manual_hold=_seconds(spec, "manualHold", plain.manual_hold),
        source=" ".join(_source(spec)),
    )
    if not 1 <= policy.min_replicas <= policy.max_replicas:
        raise SpecInvalid(
            f"replicas.min {policy.min_replicas} must lie from 1 to "
            f"replicas.max {policy.max_replicas}"
        )
    return policy


def _source(spec: Object) -> tuple[str, str, str]:
    """Its type, port and path."""
    source = spec.get("source", {})
    return (
        source.get("type", "Prometheus"),
        str(source.get("port", "metrics")),
        source.get("path", "/metrics"),
    )


def _goals(listed: Sequence[Object]) -> tuple[Goal, ...]:
    alike = Counter(goal["type"] for goal in listed)
    seen: Counter[str] = Counter()
    goals = []
    for goal in listed:
        form = goal["type"]
        seen[form] += 1
        goals.append(_goal(goal, form if alike[form] == 1 else f"{form}-{seen[form]}"))
    if not goals:
        raise SpecInvalid("the spec has no goals")
    return tuple(goals)


def _goal(goal: Object, name: str) -> Goal:
    form = GoalType(goal["type"])
    if form is GoalType.LATENCY:
        return Goal(
            name,
            form,
            quantile=goal["quantile"],
            objective=_positive(goal, "objective", parse_duration),
        )
    carried = _positive(goal, "perReplica", float)
    if form is not GoalType.QUERY:
        return Goal(name, form, per_replica=carried)
    zero = goal.get("empty") == "Zero"
    return Goal(name, form, per_replica=carried, promql=goal["promql"], empty_is_zero=zero)


def _positive(goal: Object, field: str, read: Callable[[str], float]) -> float:
    value = read(str(goal[field]))
    if not 0 < value < float("inf"):
        raise SpecInvalid(f"{field} of goal {goal['type']} is {goal[field]!r}, no positive number")
    return value


def _behavior(behavior: Object) -> Behavior:
    plain = Behavior()
    tolerance, down = behavior.get("tolerance", {}), behavior.get("down", {})
    return Behavior(
        interval=_seconds(behavior, "interval", plain.interval),
        tolerance_up=float(tolerance.get("up", plain.tolerance_up)),
        tolerance_down=float(tolerance.get("down", plain.tolerance_down)),
        down_window=_seconds(down, "window", plain.down_window),
        down_max_percent=float(down.get("maxPercent", plain.down_max_percent)),
        reversals_per_hour=int(behavior.get("reversalsPerHour", plain.reversals_per_hour)),
    )


def _seconds(holder: Object, field: str, default: float) -> float:
    return parse_duration(holder[field]) if field in holder else default


def _resume(annotations: Object) -> float | None:
    if (text := annotations.get(RESUME)) is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise SpecInvalid(f"the annotation {RESUME}: {error}") from None
