"""Intervals and tests of differences: Student's t over blocks, paired within the block.

The unit is the block. Requests of one window are not independent, so counting requests would make
chance differences significant. No block is left out because of its values.
Functions of two series pair the blocks that hold both, and raise ValueError where there is none.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from borough_bill.results import Frozen

LEVEL = 0.95
"""The confidence level of an interval with a fixed number of blocks."""
LOOK_LEVEL = 0.97
"""The level of an interval where blocks are added until it is narrow. Stopping at a narrow interval
favours samples that are narrow by chance, which costs coverage; with 97 % at each look, 95 % are
left over all looks (docs/adr/0015, simulated in a test).
"""

Series = Mapping[int, float]
"""One value for each block."""
Values = npt.NDArray[np.float64]
KeyT = TypeVar("KeyT")


class Interval(Frozen):
    """A mean over `n` blocks with its confidence interval; one block has none."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float:
        """The distance of the ends from the mean; infinite for one block."""
        return np.inf if self.high is None else self.high - self.mean

    @property
    def reach(self) -> float:
        """The distance of the farther end from zero; infinite for one block."""
        return abs(self.mean) + self.half_width

    @property
    def excludes_zero(self) -> bool:
        """Whether the mean is significant at the level of the interval."""
        return abs(self.mean) > self.half_width


def interval(values: Values, level: float = LEVEL) -> Interval:
    """Student's interval of the mean: m +- t(1/2 + level/2, n - 1) s / sqrt(n) (Student, 1908)."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # noqa: PLC0415  # scipy has no types, and is an extra

    n, mean = values.size, float(values.mean())
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * _error(values)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


def mean_of(series: Series, level: float = LEVEL) -> Interval:
    """The mean over blocks, with its interval."""
    return interval(np.array(list(series.values()), float), level)


def difference(subject: Series, reference: Series, level: float = LEVEL) -> Interval:
    """Subject minus reference, paired by block, so that what slowed both cancels out."""
    one, other = _pairs(subject, reference)
    return interval(one - other, level)


def ratio(subject: Series, reference: Series, level: float = LEVEL) -> Interval | None:
    """Subject over reference, as the mean of logarithms; None where a value is not positive."""
    one, other = _pairs(subject, reference)
    if one.min() <= 0 or other.min() <= 0:
        return None
    logs = interval(np.log(one / other), level)
    ends = [None if end is None else float(np.exp(end)) for end in (logs.low, logs.high)]
    return Interval(mean=float(np.exp(logs.mean)), low=ends[0], high=ends[1], n=logs.n)


def p_value(subject: Series, reference: Series) -> float:
    """The two-sided p-value of the paired t test; 1 for one block."""
    from scipy.special import stdtr  # noqa: PLC0415  # an extra, as above

    one, other = _pairs(subject, reference)
    values = one - other
    if values.size == 1:
        return 1.0
    error = _error(values)
    if error == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(2 * stdtr(values.size - 1, -abs(float(values.mean())) / error))


def holm(p_values: Mapping[KeyT, float], alpha: float = 1 - LEVEL) -> frozenset[KeyT]:
    """The keys whose tests are significant together: one false alarm or more has chance `alpha`.

    The smallest p is compared with alpha/m, the next with alpha/(m - 1), until one is larger (Holm,
    A simple sequentially rejective multiple test procedure, 1979).
    """
    significant = set()
    for place, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        if p_values[key] > alpha / (len(p_values) - place):
            break
        significant.add(key)
    return frozenset(significant)


def detection_limit(again: Series, reference: Series, level: float = LEVEL) -> float:
    """The smallest difference that is claimed: the farther end of the A/A interval from zero.

    It is the half-width of that interval plus the difference of the two instances. Two instances of
    the same code may differ by this much, so a smaller difference of a shape is not claimed. (The
    effect that a run would find with a power of 80 % is another one: about 1.4 half-widths.)
    """
    return difference(again, reference, level).reach


def _pairs(subject: Series, reference: Series) -> tuple[Values, Values]:
    blocks = sorted(subject.keys() & reference.keys())
    if not blocks:
        raise ValueError("no block holds both, so nothing can be compared")
    return (
        np.array([subject[block] for block in blocks], float),
        np.array([reference[block] for block in blocks], float),
    )


def _error(values: Values) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1)) / float(np.sqrt(values.size))
