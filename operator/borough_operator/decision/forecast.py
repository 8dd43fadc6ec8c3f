"""Forecasts the load for the time when a new replica is ready, from level, trend and noise.

A least-squares line is fitted to the samples. A significant upward slope is extrapolated; a
downward one never is. Without a significant slope the level is the mean, and the deviation from it
is noise: it is covered with extra replicas instead of being followed, since no replica is ready in
time for it. A single sample changes the forecast only where it lies far above what the noise
explains.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from borough_operator.decision.memory import Sample

_MIN_SAMPLES = 4
"""With fewer samples the forecast is their maximum."""
_SIGNIFICANT = 2.5
"""Standard errors above 0 from which a slope is extrapolated."""
_JUMP_DEVIATIONS = 4.0
"""Standard deviations, beyond `_TIMING_ERROR`, above the line from which a sample is a jump."""
_TIMING_ERROR = 0.03
"""Share of the load that is measurement error, since counters are read at slightly different
times."""
_NOISE_COVER = 0.7
"""Factor of the upward deviation that is added for noise."""
_MAX_RISE = 0.25
"""Share of the level that the trend may add: a steeper rise is a step, which ends."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected load by its parts, in the unit of the goal."""

    level: float
    rise: float = 0.0
    """Added by the trend."""
    noise: float = 0.0
    """Added to cover noise."""
    jump: float = 0.0
    """The newest sample where it is a jump, else 0."""

    @property
    def load(self) -> float:
        """The load that the replicas must carry."""
        return max(self.level + self.rise + self.noise, self.jump)


def forecast(samples: Sequence[Sample], horizon: float) -> Forecast:
    """The load `horizon` seconds after the newest sample. `samples` has at least one."""
    if len(samples) < _MIN_SAMPLES:
        return Forecast(max(sample.load for sample in samples))
    level, slope, above = _line(samples)
    newest, jump = samples[-1], 0.0
    if len(samples) > _MIN_SAMPLES:
        before, climb, spread = _line(samples[:-1])
        usual = before + climb * (newest.at - samples[-2].at)
        if newest.load > (1.0 + _TIMING_ERROR) * usual + _JUMP_DEVIATIONS * spread:
            jump = newest.load
    top = max(sample.load for sample in samples)  # a line through a step overshoots it
    level = min(level, top)
    noise = min(_NOISE_COVER * above, top - level)
    return Forecast(level, min(slope * horizon, _MAX_RISE * level), noise, jump)


def _line(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """The level at the newest sample, the slope per second, and the root mean square of the
    deviations above the line: of the least-squares line where it rises significantly, else of the
    mean.

    Deviations below are left out, so that a falling load never raises the forecast.
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
    """Whether the slope is at least `_SIGNIFICANT` standard errors above 0.

    The newest sample is limited to the value at which the slope is most significant: a higher one
    must not make the rise look less certain.
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
    return climb > 0.0 and explained > _SIGNIFICANT**2 * left
