"""The arithmetic of Kubernetes' HorizontalPodAutoscaler, for comparison only.

Written from `pkg/controller/podautoscaler` of Kubernetes, `replica_calculator.go` and
`horizontal.go`, with the defaults of `autoscaling/v2`. It must be complete in everything that would
improve the HPA's result. Pure; each formula has a test case.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PERIOD = 15.0
"""Seconds between two evaluations: `--horizontal-pod-autoscaler-sync-period`."""
TOLERANCE = 0.1
"""Share of the target value within which the size is kept:
`--horizontal-pod-autoscaler-tolerance`."""
DOWN_WINDOW = 300.0
"""Seconds of which the largest recommendation counts on the way down:
`stabilizationWindowSeconds`."""
UP_PODS, UP_PERCENT, UP_PERIOD = 4, 100, 15.0
"""The scale-up policies: the larger of 4 pods and 100 % within 15 s. The one scale-down policy is
100 % within 15 s, which limits nothing."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers of one target."""

    recommendations: tuple[tuple[float, int], ...] = ()
    """Time and size of the recommendations that may still be the largest of a window."""
    changes: tuple[tuple[float, int], ...] = ()
    """Time and number of replicas added (negative: removed) within `UP_PERIOD`."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Numbers of pods of a target, as the formulas count them."""

    replicas: int
    """Of the target's spec."""
    measured: int
    """Pods whose metric is used, at least one. For CPU: ready for a whole window."""
    others: int


def within_tolerance(ratio: float) -> bool:
    """Whether the ratio of usage to target is so close to 1 that the size is kept."""
    return 1.0 - TOLERANCE <= ratio <= 1.0 + TOLERANCE


def for_average_value(total: float, target: float, replicas: int) -> int:
    """Replicas for a metric of the whole target: `AverageValue` of an Object or External metric.
    `target` is the value per replica, `replicas` the present number, ready or not.
    """
    return replicas if within_tolerance(total / (target * replicas)) else math.ceil(total / target)


def for_utilization(used: float, requested: float, target: int, pods: Pods) -> int:
    """Replicas for CPU in percent of the request: `Utilization` of a Resource metric.

    `used` is the sum over the measured pods and `requested` the request of one pod, both in cores.
    The percentage is truncated to a whole number, as in the controller. The other pods are unready:
    they count as 0 on the way up and are left out on the way down.
    """

    def ratio(total: float, count: int) -> float:
        return math.floor(100.0 * total / (requested * count)) / target

    return _for_ratio(ratio, used, pods, on_the_way_down=None)


def for_pods(total: float, target: float, pods: Pods) -> int:
    """Replicas for a metric of each pod: `AverageValue` of a Pods metric.

    `total` is the sum over the measured pods; their mean is truncated to thousandths. The other
    pods have no metric: they count as 0 on the way up, and as on target on the way down.
    """

    def ratio(total: float, count: int) -> float:
        return math.floor(1e3 * total / count) / (1e3 * target)

    return _for_ratio(ratio, total, pods, on_the_way_down=target)


def _for_ratio(
    ratio: Callable[[float, int], float], total: float, pods: Pods, on_the_way_down: float | None
) -> int:
    """Replicas where ratio(total, n) is usage by target when n pods share it.

    Pods without a metric count as 0 on the way up, so that starting pods are not requested twice,
    and as `on_the_way_down` each otherwise. Where this reverses the direction the size is kept.
    """
    found = ratio(total, pods.measured)
    up = found > 1.0
    if not pods.others or not (up or on_the_way_down):
        return pods.replicas if within_tolerance(found) else math.ceil(found * pods.measured)
    filled = total if up else total + (on_the_way_down or 0.0) * pods.others
    counted = pods.measured + pods.others
    diluted = ratio(filled, counted)
    if within_tolerance(diluted) or (diluted > 1.0) != up:
        return pods.replicas
    size = math.ceil(diluted * counted)
    return max(size, pods.replicas) if up else min(size, pods.replicas)


def largest(proposals: Sequence[int | None], replicas: int) -> int | None:
    """The size from several metrics: the largest proposal.

    A proposal of None is a metric that cannot be read: then nothing is removed, and without any
    other proposal the result is None.
    """
    known = [proposal for proposal in proposals if proposal is not None]
    if not known or (len(known) < len(proposals) and max(known) < replicas):
        return None
    return max(known)


@dataclass(frozen=True, slots=True)
class Bounds:
    minimum: int
    maximum: int
    down_window: float = DOWN_WINDOW


def normalize(
    replicas: int, desired: int, memory: Memory, bounds: Bounds, now: float
) -> tuple[int, Memory]:
    """The size to set after the down window, the scale-up policies and the bounds, and the new
    memory. A target at 0 replicas is left alone.
    """
    if replicas == 0:
        return 0, memory
    changes = tuple((at, change) for at, change in memory.changes if at > now - UP_PERIOD)
    known = memory.recommendations or ((now, replicas),)
    recent = [(at, size) for at, size in known if at > now - bounds.down_window]
    if not bounds.minimum <= replicas <= bounds.maximum:
        size = min(max(replicas, bounds.minimum), bounds.maximum)
    elif desired >= replicas:
        size = min(desired, bounds.maximum, _up_limit(replicas, changes))
    else:
        highest = max([desired, *(size for _, size in recent)])
        size = max(min(highest, replicas), bounds.minimum)
    kept = tuple(entry for entry in recent if entry[1] > desired)
    change = ((now, size - replicas),) if size != replicas else ()
    return size, Memory((*kept, (now, desired)), changes + change)


def _up_limit(replicas: int, changes: Sequence[tuple[float, int]]) -> int:
    """The largest size that the scale-up policies allow, counted from the start of their period."""
    start = replicas - sum(change for _, change in changes)
    return max(replicas, start + UP_PODS, math.ceil(start * (1 + UP_PERCENT / 100)))
