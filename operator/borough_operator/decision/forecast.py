"""The load to expect by the time a new replica is ready: level, trend and noise of late.

A straight line is laid through the samples. If its slope is sure it is followed upwards, never
downwards; if not, the load is taken for its mean and the rest for noise, which is not chased but
covered, since no replica is ready in time for it. Only a sample far above what noise explains is
believed by itself.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.decision.memory import Sample

_FEW = 4
"""Samples below which nothing can be said but the largest of them."""
_SURE = 2.5
"""Standard errors that a slope must have to be followed."""
_JUMP = 4.0
"""Standard deviations, beyond `_EXACT`, that a sample must be above the line to be believed."""
_EXACT = 0.03
"""Share of a load that is never news: counters are read a moment apart."""
_COVERED = 0.7
"""Times the upper deviation of noise that is covered."""
_TRUSTED = 0.25
"""Share of the level that a trend may add: what rises faster is a step, and ends."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The load to expect, in its parts."""

    level: float
    rise: float = 0.0
    """What the trend will have added."""
    noise: float = 0.0
    """The noise that is covered."""
    jump: float = 0.0
    """The newest sample, where it is far above the rest; else 0."""

    @property
    def load(self) -> float:
        """What must be carried."""
        return max(self.level + self.rise + self.noise, self.jump)


def forecast(samples: Sequence[Sample], horizon: float) -> Forecast:
    """The load `horizon` seconds from the newest sample, of one sample or more."""
    if len(samples) < _FEW:
        return Forecast(max(sample.load for sample in samples))
    level, slope, above = _line(samples)
    newest, jump = samples[-1], 0.0
    if len(samples) > _FEW:
        before, climb, spread = _line(samples[:-1])
        usual = before + climb * (newest.at - samples[-2].at)
        if newest.load > (1.0 + _EXACT) * usual + _JUMP * spread:
            jump = newest.load
    top = max(sample.load for sample in samples)  # a line through a step goes beyond
    level = min(level, top)
    noise = min(_COVERED * above, top - level)
    return Forecast(level, min(slope * horizon, _TRUSTED * level), noise, jump)


def _line(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Level at the newest sample, slope a second, and the root mean square of what is above: of the
    least-squares line where it surely rises, else of the mean.

    What is below is no noise to be covered: so no fall ever raises what is asked for.
    """
    count = len(samples)
    middle = sum([sample.at for sample in samples]) / count
    mean = sum([sample.load for sample in samples]) / count
    offsets = [sample.at - middle for sample in samples]
    rests = [sample.load - mean for sample in samples]
    spread = sum([offset * offset for offset in offsets])
    slope = 0.0
    if _rises(offsets, spread, [sample.load for sample in samples]):
        slope = sum(map(operator.mul, offsets, rests)) / spread
    over = [rest - slope * offset for rest, offset in zip(rests, offsets, strict=True)]
    above = math.sqrt(sum([rest * rest for rest in over if rest > 0.0]) / count)
    return mean + slope * offsets[-1], slope, above


def _rises(offsets: Sequence[float], spread: float, loads: Sequence[float]) -> bool:
    """Whether the slope is `_SURE` standard errors above 0.

    A newest sample above where it would make the slope surest is no word against it, and is taken
    for that: else a load could rise until it is no longer believed to.
    """
    count, newest = len(loads), offsets[-1]
    mean = sum(loads[:-1]) / (count - 1)
    rests = [load - mean for load in loads]
    climb: float = sum(map(operator.mul, offsets[:-1], rests))
    apart = sum([rest * rest for rest in rests[:-1]])
    weight, step = (count - 1) / count, rests[-1]
    if climb > 0.0:
        step = min(step, newest * apart / (weight * climb))
    climb += newest * step
    explained = climb * climb / spread
    left = max(0.0, apart + weight * step * step - explained) / (count - 2)
    return climb > 0.0 and explained > _SURE**2 * left
