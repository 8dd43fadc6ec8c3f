"""Do intervals and tests have their nominal properties?"""

import numpy as np
import pytest

from borough_bill.analysis.statistics import (
    Interval,
    detection_limit,
    difference,
    holm,
    interval,
    mean_of,
    p_value,
    ratio,
)

NULLS, BLOCKS, ORDERS = 1000, 10, 54


def test_interval_agrees_with_the_tables_of_t() -> None:
    """For 1 to 5: mean 3, s = 1.581, t(0.975, 4) = 2.776, so 3 +- 1.963."""
    found = interval(np.array([1.0, 2, 3, 4, 5]))

    assert (found.mean, found.n) == (3, 5)
    assert found.half_width == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert found.reach == pytest.approx(3 + 1.963, rel=1e-3)


@pytest.mark.parametrize("spread", [0.3, 1.0], ids=["even", "skewed"])
def test_intervals_have_their_nominal_coverage(spread: float) -> None:
    """Of 1,000 null differences between lognormal runs, 93 to 97 % have zero in their interval."""
    chance = np.random.default_rng(20260301)
    factors = chance.normal(1, 0.1, (NULLS, BLOCKS))
    one, other = (
        factors * chance.lognormal(2, spread, (NULLS, BLOCKS, ORDERS)).mean(axis=2)
        for _ in range(2)
    )
    covered = sum(
        not difference(dict(enumerate(a)), dict(enumerate(b))).excludes_zero
        for a, b in zip(one, other, strict=True)
    )

    assert 0.93 <= covered / NULLS <= 0.97


def test_pairing_removes_what_blocks_have_in_common() -> None:
    """A slow block is slow for both subjects, which does not change the difference."""
    slowness = {0: 5.0, 1: 50.0, 2: 500.0}
    found = difference({b: s + 2 for b, s in slowness.items()}, slowness)

    assert found.mean == pytest.approx(2)
    assert found.half_width == pytest.approx(0)


def test_only_blocks_that_hold_both_are_paired() -> None:
    """A missing window removes its block, and does not shift the others."""
    assert difference({0: 1.0, 2: 5.0, 3: 6.0}, {2: 1.0, 3: 2.0, 4: 99.0}).n == 2
    with pytest.raises(ValueError, match="no block holds both"):
        difference({0: 1.0}, {1: 1.0})


def test_one_block_has_no_interval() -> None:
    """It excludes nothing, and its p-value is 1."""
    found = mean_of({0: 7.0})

    assert (found.mean, found.low, found.high) == (7, None, None)
    assert not found.excludes_zero
    assert p_value({0: 9.0}, {0: 1.0}) == 1


def test_ratio_is_the_mean_of_logarithms() -> None:
    """Twice as much in one block and half as much in another is a ratio of 1."""
    found = ratio({0: 2.0, 1: 0.5}, {0: 1.0, 1: 1.0})

    assert found is not None
    assert found.mean == pytest.approx(1)
    assert ratio({0: 2.0}, {0: 0.0}) is None


def test_p_value_agrees_with_the_interval() -> None:
    """At level 1 - p the interval ends at zero."""
    subject, reference = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 0.0, 1: 0.0, 2: 0.0}
    p = p_value(subject, reference)
    ends = difference(subject, reference, level=1 - p)

    assert ends.low == pytest.approx(0, abs=1e-9)
    assert p_value({0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.0}) == 0
    assert p_value({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}) == 1


def test_holm_stops_at_the_first_test_that_fails() -> None:
    """0.01 passes 0.05/4 and 0.015 passes 0.05/3; 0.03 fails 0.05/2, and so do all larger ones."""
    assert holm({"a": 0.015, "b": 0.01, "c": 0.03, "d": 0.04}) == {"a", "b"}
    assert holm({"a": 0.03, "b": 0.04}) == frozenset()


def test_detection_limit_is_the_farther_end_of_a_a() -> None:
    """Instances that differ by 1 +- 0.5 may differ by 1.5, so 1.4 is not claimed."""
    again = {0: 11.0, 1: 12.0, 2: 10.0}
    reference = dict.fromkeys(range(3), 10.0)
    null = difference(again, reference)

    assert null.high is not None
    assert detection_limit(again, reference) == pytest.approx(null.high)
    assert detection_limit(reference, again) == pytest.approx(null.high)
    assert Interval(mean=-1, low=-1.5, high=-0.5, n=3).excludes_zero
