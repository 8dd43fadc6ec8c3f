"""The HorizontalPodAutoscaler's documented arithmetic: what we compare with, and never scale by.

Written from `pkg/controller/podautoscaler` of Kubernetes, `replica_calculator.go` and
`horizontal.go`, with the defaults of `autoscaling/v2`: whoever knows that controller must find
nothing missing here that would have helped it. Pure; each formula has its case in the tests.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PERIOD = 15.0
"""Seconds between two looks: `--horizontal-pod-autoscaler-sync-period`."""
TOLERANCE = 0.1
"""Within this share of the target nothing changes: `--horizontal-pod-autoscaler-tolerance`."""
DOWN_WINDOW = 300.0
"""Seconds whose largest recommendation wins on the way down: `stabilizationWindowSeconds`."""
UP_PODS, UP_PERCENT, UP_PERIOD = 4, 100, 15.0
"""The policies for the way up: the larger of 4 pods and 100 % in 15 s. Down, the one policy is
100 % in 15 s, which forbids nothing."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller keeps of one target, in its process."""

    recommendations: tuple[tuple[float, int], ...] = ()
    """When which size was recommended; only those that may still be the largest of a window."""
    changes: tuple[tuple[float, int], ...] = ()
    """When how many replicas were added or, below zero, removed, within `UP_PERIOD`."""


@dataclass(frozen=True, slots=True)
class Pods:
    """A target's pods as the formulas for their own metrics sort them."""

    replicas: int
    """Asked for, by its spec."""
    measured: int
    """Those with a metric that counts; at least one. For CPU: ready, and for a whole window."""
    others: int


def within_tolerance(ratio: float) -> bool:
    """Whether usage is so close to its target that the size is left as it is."""
    return 1.0 - TOLERANCE <= ratio <= 1.0 + TOLERANCE


def for_average_value(total: float, target: float, replicas: int) -> int:
    """A metric of the whole target and what one replica shall have of it: `AverageValue` of an
    Object or External metric. `replicas` are those there are, ready or not.
    """
    return replicas if within_tolerance(total / (target * replicas)) else math.ceil(total / target)


def for_utilization(used: float, requested: float, target: int, pods: Pods) -> int:
    """CPU in percent of the request: `Utilization` of a Resource metric.

    `used` is the sum over the measured pods and `requested` what one pod asks for, both in cores.
    The percentage is a whole number, cut off as the controller cuts it. The others are unready:
    nothing on the way up, and not there on the way down.
    """

    def ratio(total: float, count: int) -> float:
        return math.floor(100.0 * total / (requested * count)) / target

    return _for_ratio(ratio, used, pods, on_the_way_down=None)


def for_pods(total: float, target: float, pods: Pods) -> int:
    """A metric that each pod tells of itself: `AverageValue` of a Pods metric.

    `total` is the sum over the measured pods; their mean is in whole thousandths, cut off. The
    others are missing: nothing on the way up, and right on target on the way down.
    """

    def ratio(total: float, count: int) -> float:
        return math.floor(1e3 * total / count) / (1e3 * target)

    return _for_ratio(ratio, total, pods, on_the_way_down=target)


def _for_ratio(
    ratio: Callable[[float, int], float], total: float, pods: Pods, on_the_way_down: float | None
) -> int:
    """The answer to a usage that is ratio(total, n) times its target when n pods share it.

    Pods without a metric join with nothing on the way up, so that those on their way are not asked
    for twice, and with `on_the_way_down` each otherwise. What turns the direction changes nothing.
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
    """What several metrics come to: the largest proposal wins.

    None is a metric that cannot be read. With one such nothing is removed, and with no other
    there is no answer.
    """
    known = [proposal for proposal in proposals if proposal is not None]
    if not known or (len(known) < len(proposals) and max(known) < replicas):
        return None
    return max(known)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a HorizontalPodAutoscaler's spec allows."""

    minimum: int
    maximum: int
    down_window: float = DOWN_WINDOW


def normalize(
    replicas: int, desired: int, memory: Memory, bounds: Bounds, now: float
) -> tuple[int, Memory]:
    """The size to set, after the down window, the policies for the way up and the bounds; and
    what to remember. A target scaled to 0 by hand is left alone.
    """
    if replicas == 0:
        return 0, memory
    changes = tuple((at, change) for at, change in memory.changes if at > now - UP_PERIOD)
    seen = memory.recommendations or ((now, replicas),)
    recent = [(at, size) for at, size in seen if at > now - bounds.down_window]
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
    """The size the policies allow, counted from the size at the start of their period."""
    start = replicas - sum(change for _, change in changes)
    return max(replicas, start + UP_PODS, math.ceil(start * (1 + UP_PERCENT / 100)))
