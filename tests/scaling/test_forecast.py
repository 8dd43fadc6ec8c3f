"""Does the forecast extrapolate a trend, cover noise, and follow a jump?"""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from borough_operator.decision.forecast import Forecast, forecast
from borough_operator.decision.memory import Sample

loads = st.lists(st.floats(0.0, 1e4), min_size=1, max_size=12)


def expect(values: Sequence[float], horizon: float = 15.0) -> Forecast:
    return forecast([Sample(5.0 * n, value, 0.0) for n, value in enumerate(values)], horizon)


def test_significant_rise_is_extrapolated() -> None:
    """Two per sample of five seconds, from 122, is 128 fifteen seconds later."""
    assert expect([100.0 + 2.0 * n for n in range(12)]).load == pytest.approx(122.0 + 6.0)


def test_noise_is_covered_and_not_followed() -> None:
    """Around a mean of 100, ten up and ten down: the newest sample makes no difference."""
    noisy = [90.0, 110.0] * 6
    high, low = expect(noisy), expect(noisy[::-1])
    assert high.load == pytest.approx(100.0 + 0.7 * 50**0.5)  # half of them are 10 above
    assert low.load == pytest.approx(high.load)


def test_jump_is_followed_at_once() -> None:
    """One sample far above a steady minute is the new load, and not noise."""
    assert expect([100.0] * 11 + [300.0]).load >= 300.0


def test_step_is_not_extrapolated() -> None:
    """A rise by half within a few samples does not continue."""
    steep = expect([100.0] * 9 + [140.0, 180.0, 220.0], horizon=60.0)
    assert steep.rise <= 0.25 * steep.level
    assert steep.load <= 1.25 * 220.0


def test_completed_step_is_not_overshot() -> None:
    """The line through it exceeds the largest sample; the level does not."""
    over = expect([100.0] * 7 + [200.0] * 5)
    assert over.rise > 0.0
    assert over.level == 200.0


def test_fall_is_not_extrapolated() -> None:
    """The level of a falling load is its mean, since the load may return."""
    assert expect([220.0 - 10.0 * n for n in range(12)]).load >= 165.0


@given(loads, st.floats(0.0, 1.0))
@example([0.0, 0.0, 1.0, 1.0], 0.9375)  # the line falls below the mean, which is not noise
@example([1.0, 1.0, 2.5, 8.2], 0.95)  # the higher the newest, the less the others fit its line
@example([10.1, 11.1, 10.2, 11.4, 14.1], 0.96)  # and so below a jump
def test_lower_newest_sample_never_raises_the_forecast(values: list[float], part: float) -> None:
    """For any samples."""
    lowered = [*values[:-1], values[-1] * part]
    assert expect(lowered).load <= expect(values).load * (1 + 1e-9) + 1e-9


@given(loads)
def test_forecast_is_at_least_the_mean(values: list[float]) -> None:
    """And it is finite."""
    expected = expect(values).load
    assert sum(values) / len(values) * (1 - 1e-9) - 1e-9 <= expected < float("inf")
