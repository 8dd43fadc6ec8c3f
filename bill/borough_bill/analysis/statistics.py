"""What a difference is worth: Student's t over blocks, paired, against what A/A could see.

The unit is the block, never the request: requests of one window share its luck, and counting them
would make every accident significant. All blocks count, whatever came out of them.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

LEVEL = 0.95
"""Of the intervals that are printed."""
LOOKED = 0.97
"""Of one look, where more blocks are added until intervals are narrow: to stop at a look that
happens to see a narrow one costs coverage, and at this level 95 % are left over all looks. A test
simulates it.
"""

Series = Mapping[int, float]
"""One value a block."""
Values = npt.NDArray[np.float64]
KeyT = TypeVar("KeyT")


class Interval(BaseModel):
    """A mean over `n` blocks, and where the true one lies; of one block nobody knows where."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float:
        """How far the ends are from the mean; infinite for one block."""
        return np.inf if self.high is None else self.high - self.mean

    @property
    def reach(self) -> float:
        """How far from zero the interval goes; infinite for one block."""
        return abs(self.mean) + self.half_width

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign is known."""
        return abs(self.mean) > self.half_width


def interval(values: Values, level: float = LEVEL) -> Interval:
    """Student's interval of the mean: m +- t(1/2 + level/2, n - 1) s / sqrt(n) (Student, 1908)."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # noqa: PLC0415  # scipy has no types, and is extra

    n, mean = values.size, float(values.mean())
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * _error(values)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


def mean_of(series: Series, level: float = LEVEL) -> Interval:
    """The mean over blocks."""
    return interval(np.array(list(series.values()), float), level)


def difference(subject: Series, reference: Series, level: float = LEVEL) -> Interval:
    """Subject minus reference, paired by block: what the two suffered together cancels."""
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
    """Two-sided, of the paired t test: how often chance alone would show at least as much."""
    from scipy.special import stdtr  # noqa: PLC0415  # extra, as above

    one, other = _pairs(subject, reference)
    values = one - other
    if values.size == 1:
        return 1.0
    error = _error(values)
    if error == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(2 * stdtr(values.size - 1, -abs(float(values.mean())) / error))


def holm(p_values: Mapping[KeyT, float], alpha: float = 1 - LEVEL) -> frozenset[KeyT]:
    """Which of several tests hold together: the chance of even one false alarm is below `alpha`.

    The smallest p is held against alpha/m, the next against alpha/(m - 1), until one fails (Holm,
    A simple sequentially rejective multiple test procedure, 1979).
    """
    held = set()
    for place, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        if p_values[key] > alpha / (len(p_values) - place):
            break
        held.add(key)
    return frozenset(held)


def smallest_visible(again: Series, reference: Series, level: float = LEVEL) -> float:
    """The smallest effect a run can claim: the farther end of the A/A interval from zero.

    That is its half-width, plus what two instances of the same thing differed by: an identical
    twin may be this far away, so a smaller difference says nothing. (It is not the effect that
    would be found with a power of 80 %, which is about 1.4 half-widths.)
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
