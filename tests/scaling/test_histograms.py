"""Is a quantile of buckets Prometheus's estimate?"""

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
def test_quantile_is_interpolated_within_its_bucket(
    share: float, buckets: dict[float, float], value: float
) -> None:
    """Beyond the last finite bound it is that bound; decreasing counts are taken as constant."""
    assert quantile(share, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [{}, {INF: 3}, {0.1: 3}, {0.1: 0, INF: 0}])
def test_quantile_without_observations_is_none(buckets: dict[float, float]) -> None:
    """Also without a finite bound or the bucket +Inf."""
    assert quantile(0.5, buckets) is None
