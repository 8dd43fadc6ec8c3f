"""Is a quantile of buckets what Prometheus says it is?"""

import math

import pytest

from borough_operator.sources.histograms import quantile

INF = math.inf


@pytest.mark.parametrize(
    ("share", "buckets", "value"),
    [
        (0.5, {0.1: 10, 0.2: 20, INF: 20}, 0.1),
        (0.75, {0.1: 10, 0.2: 20, INF: 20}, 0.15),
        (0.25, {0.1: 10, 0.2: 20, INF: 20}, 0.05),
        (0.95, {0.1: 10, 0.2: 10, INF: 20}, 0.2),
        (0.75, {0.1: 10, 0.2: 8, 0.4: 20, INF: 20}, 0.3),
    ],
)
def test_observations_lie_evenly_within_their_bucket(
    share: float, buckets: dict[float, float], value: float
) -> None:
    """And beyond the last bound at that bound; a count that falls is one that stays."""
    assert quantile(share, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [{}, {INF: 3}, {0.1: 3}, {0.1: 0, INF: 0}])
def test_without_observations_there_is_no_quantile(buckets: dict[float, float]) -> None:
    """Nor without a finite bound, or without the bucket of all."""
    assert quantile(0.5, buckets) is None
