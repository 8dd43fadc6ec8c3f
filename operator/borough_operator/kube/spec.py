"""Parses a ServiceScaler object.

The API server has validated it by the schema, so this refuses only what the schema cannot check or
an older schema accepted. A refusal is a sentence, since it becomes a condition.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from borough_operator.decision.model import Behavior, Goal, GoalType, Mode, Policy
from borough_operator.moments import parse_duration, parse_time
from borough_operator.sources.protocol import Target

RESUME = "borough.dev/resume"
"""The annotation that ends holds which began before its time."""

Object = Mapping[str, Any]


class SpecInvalid(Exception):
    """An invalid spec; the message names the field and the reason."""


@dataclass(frozen=True, slots=True)
class Scaler:
    namespace: str
    name: str
    uid: str
    generation: int
    target: Target
    policy: Policy
    source: str = "Prometheus"
    """Prometheus or Pods."""
    port: str = "metrics"
    """The port of a pod's metrics: a name, or a number as text."""
    path: str = "/metrics"
    resume: float | None = None
    """Holds that began before this time are over."""


def parse(obj: Object) -> Scaler:
    """Parse an object; missing fields have the schema's defaults. Raises SpecInvalid."""
    metadata, spec = obj["metadata"], obj.get("spec", {})
    try:
        reference, source = spec["targetRef"], spec.get("source", {})
        kind, path = source.get("type", "Prometheus"), source.get("path", "/metrics")
        port = str(source.get("port", "metrics"))
        return Scaler(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            target=Target(metadata["namespace"], reference["kind"], reference["name"]),
            policy=_policy(spec, f"{kind} {port} {path}"),
            source=kind,
            port=port,
            path=path,
            resume=_resume(metadata.get("annotations") or {}),
        )
    except KeyError as error:
        raise SpecInvalid(f"the spec lacks {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise SpecInvalid(f"the spec cannot be read: {error}") from None


def _policy(spec: Object, source: str) -> Policy:
    defaults = Policy(goals=())
    replicas = spec["replicas"]
    policy = Policy(
        goals=_goals(spec["goals"]),
        min_replicas=int(replicas.get("min", defaults.min_replicas)),
        max_replicas=int(replicas["max"]),
        mode=Mode(spec.get("mode", defaults.mode)),
        behavior=_behavior(spec.get("behavior", {})),
        manual_hold=_seconds(spec, "manualHold", defaults.manual_hold),
        source=source,
    )
    if not 1 <= policy.min_replicas <= policy.max_replicas:
        least, most = policy.min_replicas, policy.max_replicas
        raise SpecInvalid(f"replicas.min {least} must be from 1 to replicas.max {most}")
    return policy


def _goals(listed: Sequence[Object]) -> tuple[Goal, ...]:
    counts = Counter(goal["type"] for goal in listed)
    numbers: Counter[str] = Counter()
    goals = []
    for goal in listed:
        kind = goal["type"]
        numbers[kind] += 1
        goals.append(_goal(goal, kind if counts[kind] == 1 else f"{kind}-{numbers[kind]}"))
    if not goals:
        raise SpecInvalid("the spec has no goals")
    return tuple(goals)


def _goal(goal: Object, name: str) -> Goal:
    kind = GoalType(goal["type"])
    if kind is GoalType.LATENCY:
        objective = _positive(goal, "objective", parse_duration)
        return Goal(name, kind, quantile=goal["quantile"], objective=objective)
    per_replica = _positive(goal, "perReplica", float)
    if kind is not GoalType.QUERY:
        return Goal(name, kind, per_replica=per_replica)
    zero = goal.get("empty") == "Zero"
    return Goal(name, kind, per_replica=per_replica, promql=goal["promql"], empty_is_zero=zero)


def _positive(goal: Object, field: str, read: Callable[[str], float]) -> float:
    value = read(str(goal[field]))
    if not 0 < value < float("inf"):
        what = f"{field} of goal {goal['type']}"
        raise SpecInvalid(f"{what} is {goal[field]!r}, not a positive number")
    return value


def _behavior(behavior: Object) -> Behavior:
    defaults = Behavior()
    tolerance, down = behavior.get("tolerance", {}), behavior.get("down", {})
    return Behavior(
        interval=_seconds(behavior, "interval", defaults.interval),
        tolerance_up=float(tolerance.get("up", defaults.tolerance_up)),
        tolerance_down=float(tolerance.get("down", defaults.tolerance_down)),
        down_window=_seconds(down, "window", defaults.down_window),
        down_max_percent=float(down.get("maxPercent", defaults.down_max_percent)),
        reversals_per_hour=int(behavior.get("reversalsPerHour", defaults.reversals_per_hour)),
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
