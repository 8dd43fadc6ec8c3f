"""Does the forecast follow a trend, cover noise, and believe a jump?"""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from borough_operator.decision.forecast import Forecast, forecast
from borough_operator.decision.memory import Sample

loads = st.lists(st.floats(0.0, 1e4), min_size=1, max_size=12)


def expect(values: Sequence[float], horizon: float = 15.0) -> Forecast:
    return forecast([Sample(5.0 * n, value, 0.0) for n, value in enumerate(values)], horizon)


def test_a_sure_rise_is_followed_over_the_lead_time() -> None:
    """Two a sample and five seconds, from 122 on, is 128 fifteen seconds later."""
    assert expect([100.0 + 2.0 * n for n in range(12)]).load == pytest.approx(122.0 + 6.0)


def test_noise_is_covered_and_not_chased() -> None:
    """Around a mean of 100, ten up and ten down: the newest of them makes no difference."""
    noisy = [90.0, 110.0] * 6
    high, low = expect(noisy), expect(noisy[::-1])
    assert high.load == pytest.approx(100.0 + 0.7 * 50**0.5)  # half of them are 10 above
    assert low.load == pytest.approx(high.load)


def test_a_jump_is_believed_at_once() -> None:
    """One sample far above a quiet minute is the new load, and not noise."""
    assert expect([100.0] * 11 + [300.0]).load >= 300.0


def test_a_step_is_not_taken_for_a_trend() -> None:
    """What rises by half within a few samples is not thought to go on like that."""
    steep = expect([100.0] * 9 + [140.0, 180.0, 220.0], horizon=60.0)
    assert steep.rise <= 0.25 * steep.level
    assert steep.load <= 1.25 * 220.0


def test_a_step_that_is_over_is_not_taken_for_more_than_it_was() -> None:
    """A line through it goes beyond the highest that was ever seen; the load did not."""
    over = expect([100.0] * 7 + [200.0] * 5)
    assert over.rise > 0.0
    assert over.level == 200.0


def test_a_fall_is_not_followed() -> None:
    """A falling load is taken for its mean: what it needed lately it may need again."""
    assert expect([220.0 - 10.0 * n for n in range(12)]).load >= 165.0


@given(loads, st.floats(0.0, 1.0))
@example([0.0, 0.0, 1.0, 1.0], 0.9375)  # the line sinks below the middle: that is no noise
@example([1.0, 1.0, 2.5, 8.2], 0.95)  # the higher the newest, the less the others fit its line
@example([10.1, 11.1, 10.2, 11.4, 14.1], 0.96)  # and so below a jump
def test_a_fall_never_raises_what_must_be_carried(values: list[float], part: float) -> None:
    """With the newest sample lowered, no more is asked for."""
    lowered = [*values[:-1], values[-1] * part]
    assert expect(lowered).load <= expect(values).load * (1 + 1e-9) + 1e-9


@given(loads)
def test_a_forecast_is_at_least_the_mean(values: list[float]) -> None:
    """And it is finite."""
    expected = expect(values).load
    assert sum(values) / len(values) * (1 - 1e-9) - 1e-9 <= expected < float("inf")
