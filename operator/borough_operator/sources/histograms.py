"""Quantiles of a classic histogram by Prometheus's estimate, so that both sources agree."""

import math
from collections.abc import Mapping


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The quantile `share` (0 to 1) from cumulative counts by upper bound.

    As Prometheus's histogram_quantile: linear interpolation within the bucket; beyond the last
    finite bound the result is that bound. None where there is no observation or no bucket +Inf.
    """
    bounds = sorted(buckets)
    if len(bounds) < 2 or bounds[-1] != math.inf:  # noqa: PLR2004  # one finite bound and +Inf
        return None
    counts: list[float] = []
    for bound in bounds:  # sums of pods with different bounds may decrease
        counts.append(max(buckets[bound], counts[-1] if counts else 0.0))
    if not counts[-1]:
        return None
    rank = share * counts[-1]
    place = next(i for i, count in enumerate(counts) if count >= rank)
    if place == len(bounds) - 1:
        return bounds[-2]
    below, under = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return below + (bounds[place] - below) * (rank - under) / (counts[place] - under)
