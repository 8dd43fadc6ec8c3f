"""Does an interval hold what it promises?"""

import numpy as np
import pytest

from borough_bill.analysis.statistics import (
    Interval,
    difference,
    holm,
    interval,
    mean_of,
    p_value,
    ratio,
    smallest_visible,
)

NULLS, BLOCKS, ORDERS = 1000, 10, 54


def test_an_interval_is_what_the_tables_say() -> None:
    """Of 1 to 5: mean 3, s = 1.581, t(0.975, 4) = 2.776, so 3 +- 1.963."""
    found = interval(np.array([1.0, 2, 3, 4, 5]))

    assert (found.mean, found.n) == (3, 5)
    assert found.half_width == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert found.reach == pytest.approx(3 + 1.963, rel=1e-3)


@pytest.mark.parametrize("spread", [0.3, 1.0], ids=["even", "skewed"])
def test_intervals_cover_what_they_promise(spread: float) -> None:
    """Of 1,000 null differences between lognormal runs, 93 to 97 % hold zero in their interval."""
    chance = np.random.default_rng(20260301)
    weather = chance.normal(1, 0.1, (NULLS, BLOCKS))
    one, other = (
        weather * chance.lognormal(2, spread, (NULLS, BLOCKS, ORDERS)).mean(axis=2)
        for _ in range(2)
    )
    covered = sum(
        not difference(dict(enumerate(a)), dict(enumerate(b))).excludes_zero
        for a, b in zip(one, other, strict=True)
    )

    assert 0.93 <= covered / NULLS <= 0.97


def test_pairing_takes_out_what_both_suffered() -> None:
    """A slow block is slow for everybody: the difference knows nothing of it."""
    weather = {0: 5.0, 1: 50.0, 2: 500.0}
    found = difference({b: w + 2 for b, w in weather.items()}, weather)

    assert found.mean == pytest.approx(2)
    assert found.half_width == pytest.approx(0)


def test_only_blocks_with_both_are_paired() -> None:
    """A window that is missing costs its block, and never shifts the others."""
    assert difference({0: 1.0, 2: 5.0, 3: 6.0}, {2: 1.0, 3: 2.0, 4: 99.0}).n == 2
    with pytest.raises(ValueError, match="no block holds both"):
        difference({0: 1.0}, {1: 1.0})


def test_one_block_says_nothing_of_chance() -> None:
    """Its interval has no ends, excludes nothing and proves nothing."""
    found = mean_of({0: 7.0})

    assert (found.mean, found.low, found.high) == (7, None, None)
    assert not found.excludes_zero
    assert p_value({0: 9.0}, {0: 1.0}) == 1


def test_a_ratio_is_the_mean_of_logarithms() -> None:
    """Twice as much in one block and half as much in another is as much."""
    found = ratio({0: 2.0, 1: 0.5}, {0: 1.0, 1: 1.0})

    assert found is not None
    assert found.mean == pytest.approx(1)
    assert ratio({0: 2.0}, {0: 0.0}) is None


def test_p_value_and_interval_agree() -> None:
    """At the level of the interval's end the p-value is one minus the level."""
    subject, reference = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 0.0, 1: 0.0, 2: 0.0}
    p = p_value(subject, reference)
    ends = difference(subject, reference, level=1 - p)

    assert ends.low == pytest.approx(0, abs=1e-9)
    assert p_value({0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.0}) == 0
    assert p_value({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}) == 1


def test_holm_stops_at_the_first_that_fails() -> None:
    """0.01 passes 0.05/4 and 0.015 passes 0.05/3; 0.03 fails 0.05/2, and so does all above."""
    assert holm({"a": 0.015, "b": 0.01, "c": 0.03, "d": 0.04}) == {"a", "b"}
    assert holm({"a": 0.03, "b": 0.04}) == frozenset()


def test_the_smallest_visible_effect_is_the_far_end_of_the_null() -> None:
    """Twins that differ by 1 +- 0.5 may differ by 1.5, so 1.4 would say nothing."""
    again = {0: 11.0, 1: 12.0, 2: 10.0}
    reference = dict.fromkeys(range(3), 10.0)
    null = difference(again, reference)

    assert null.high is not None
    assert smallest_visible(again, reference) == pytest.approx(null.high)
    assert smallest_visible(reference, again) == pytest.approx(null.high)
    assert Interval(mean=-1, low=-1.5, high=-0.5, n=3).excludes_zero
