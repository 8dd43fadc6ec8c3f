"""Is the simulated HPA equal to the real one?

Each case is computed by hand from the formulas of `replica_calculator.go` and `horizontal.go`; the
arithmetic is beside it.
"""

import pytest

from borough_operator.decision.hpa import (
    Bounds,
    Memory,
    Pods,
    for_average_value,
    for_pods,
    for_utilization,
    largest,
    normalize,
)

WIDE = Bounds(1, 100)


def steps(*looks: tuple[float, int], start: int, bounds: Bounds = WIDE) -> list[int]:
    """The sizes after evaluations at (time, desired), each from the size before."""
    size, memory, sizes = start, Memory(), []
    for now, desired in looks:
        size, memory = normalize(size, desired, memory, bounds, now)
        sizes.append(size)
    return sizes


@pytest.mark.parametrize(
    ("total", "target", "replicas", "answer"),
    [
        (120, 10, 10, 12),  # 120 / (10 x 10) = 1.2, outside 0.9 to 1.1: ceil(120 / 10)
        (121, 10, 10, 13),  # ceil(12.1)
        (110, 10, 10, 10),  # 1.1 is within
        (90, 10, 10, 10),  # 0.9 is within
        (89, 10, 10, 9),  # 0.89: ceil(8.9)
        (0, 10, 10, 0),  # the bounds, not the formula, keep the last one
    ],
)
def test_average_value_is_the_total_by_the_target(
    total: float, target: float, replicas: int, answer: int
) -> None:
    """`AverageValue`: n = ceil(x / target), unless x / (target x replicas) is within a tenth."""
    assert for_average_value(total, target, replicas) == answer


@pytest.mark.parametrize(
    ("used", "pods", "answer"),
    [
        (3.6, Pods(4, 4, 0), 6),  # floor(90 %) / 60 = 1.5: ceil(1.5 x 4)
        (3.238, Pods(5, 5, 0), 5),  # floor(64.76 %) = 64: 1.067 is within
        (2.67, Pods(4, 4, 0), 4),  # floor(66.75 %) = 66: 1.1 is within, and 1.1125 would not be
        (2.799, Pods(4, 4, 0), 5),  # floor(69.975 %) = 69: 1.15 x 4 = 4.6, so 5
        (1.2, Pods(4, 4, 0), 2),  # 30 / 60 = 0.5: ceil(2)
        (3.6, Pods(6, 4, 2), 6),  # 1.5; with two at nothing 60 / 60 = 1: within
        (4.0, Pods(5, 4, 1), 7),  # 100 / 60 = 1.67; 80 / 60 = 1.33: ceil(1.33 x 5)
        (2.8, Pods(8, 4, 4), 8),  # 70 / 60 = 1.17; 35 / 60 < 1: the direction reverses, so nothing
        (1.2, Pods(6, 4, 2), 2),  # on the way down unready pods do not count: ceil(0.5 x 4)
    ],
)
def test_utilization_is_a_truncated_percentage_of_the_request(
    used: float, pods: Pods, answer: int
) -> None:
    """`Utilization` of 60 %: floored to a percent, diluted by unready pods on the way up only."""
    assert for_utilization(used, 1.0, 60, pods) == answer


@pytest.mark.parametrize(
    ("total", "pods", "answer"),
    [
        (60.0, Pods(4, 4, 0), 6),  # 15 a pod: 1.5 x 4
        (44.002, Pods(4, 4, 0), 4),  # 11.0005 is cut off to 11.000: 1.1 is within, 1.10005 is not
        (60.0, Pods(6, 4, 2), 6),  # 1.5; with two at nothing 10 a pod: 1 is within
        (90.0, Pods(6, 4, 2), 9),  # 2.25; with two at nothing 15 a pod: 1.5 x 6
        (16.0, Pods(4, 4, 0), 2),  # 0.4: ceil(1.6)
        (16.0, Pods(6, 4, 2), 4),  # 0.4; with two at 10 each 36 / 6 = 6: ceil(0.6 x 6)
    ],
)
def test_pods_metric_is_averaged_over_pods_that_have_it(
    total: float, pods: Pods, answer: int
) -> None:
    """`Pods`, 10 each: a pod without the metric has 0 on the way up, and 10 on the way down."""
    assert for_pods(total, 10.0, pods) == answer


def test_largest_proposal_wins_and_a_missing_metric_removes_nothing() -> None:
    """With one metric missing the size may grow and not shrink; without any there is no result."""
    assert largest([3, 5], 4) == 5
    assert largest([3, None], 4) is None
    assert largest([6, None], 4) == 6
    assert largest([None], 4) is None


def test_removal_waits_until_the_last_large_recommendation_expires() -> None:
    """The largest recommendation of 300 s wins, the first being the size that was found."""
    looks = [(15.0 * look, 2) for look in range(23)]

    assert steps(*looks, start=8) == [8] * 20 + [2] * 3  # found at 0, gone from the window at 300


def test_removal_within_the_window_stops_at_its_largest_recommendation() -> None:
    """8 was recommended at 0, 5 at 150, and 2 since: down to 5 at 300 and to 2 at 450."""
    looks = [(0, 8), (150, 5), (165, 2), (285, 2), (300, 2), (435, 2), (450, 2)]

    assert steps(*looks, start=8) == [8, 8, 8, 8, 5, 5, 2]


def test_scale_up_is_limited_to_four_pods_or_double_in_fifteen_seconds() -> None:
    """From 1: max(1 + 4, 1 x 2) = 5, max(5 + 4, 5 x 2) = 10, then 20, then what is desired."""
    assert steps((0, 30), (15, 30), (30, 30), (45, 30), start=1) == [5, 10, 20, 30]


def test_pods_added_within_the_period_count_against_the_limit() -> None:
    """10 seconds after 1 became 5 the period still starts at 1, so 5 stays; at 15 it is over."""
    assert steps((0, 30), (10, 30), (15, 30), start=1) == [5, 5, 10]


def test_bounds_hold_for_any_recommendation() -> None:
    """A size outside the bounds is set to the nearer bound at once."""
    narrow = Bounds(2, 6, down_window=0.0)

    assert steps((0, 50), (15, 50), (30, 0), start=4, bounds=narrow) == [6, 6, 2]
    assert steps((0, 9), start=9, bounds=narrow) == [6]
    assert steps((0, 1), start=1, bounds=narrow) == [2]


def test_zero_replicas_disable_it() -> None:
    """Its documentation calls this implicit maintenance mode."""
    assert steps((0, 5), (15, 5), start=0) == [0, 0]


def test_memory_is_bounded() -> None:
    """A recommendation that can no longer be the largest of a window is dropped."""
    memory, size = Memory(), 5
    for look in range(1_000):
        size, memory = normalize(size, 3 + look % 7, memory, WIDE, 15.0 * look)

        assert len(memory.recommendations) <= 8
        assert len(memory.changes) <= 1
