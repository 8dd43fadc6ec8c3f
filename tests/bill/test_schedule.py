"""Does a schedule have the times that its kind, rate and seed define?"""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest  # type: ignore[import-untyped]  # scipy has no types

from borough_bill.load.schedule import BadSchedule, arrivals, constant, from_file, poisson


def test_same_seed_gives_the_same_times() -> None:
    """Deployments are compared under the same load; another seed gives another load."""
    assert np.array_equal(poisson(40, 10, seed=7), poisson(40, 10, seed=7))
    assert not np.array_equal(poisson(40, 10, seed=7), poisson(40, 10, seed=8))


def test_poisson_gaps_are_exponential_at_the_rate() -> None:
    """With mean 1 / rate (Kolmogorov-Smirnov test), and all times within the range."""
    times = poisson(200, 50, seed=1)

    assert kstest(np.diff(times), "expon", args=(0, 1 / 200)).pvalue > 0.01
    assert abs(len(times) - 200 * 50) < 4 * (200 * 50) ** 0.5
    assert times[0] >= 0
    assert times[-1] < 50


def test_longer_schedule_begins_like_a_shorter_one() -> None:
    """The duration does not change the first requests."""
    assert np.array_equal(poisson(10, 100, 3)[:500], poisson(10, 200, 3)[:500])


def test_constant_arrivals_are_evenly_spaced() -> None:
    """The first is at 0, the last one gap before the end."""
    assert constant(4, 1).tolist() == [0, 0.25, 0.5, 0.75]


def test_times_are_read_from_a_file(tmp_path: Path) -> None:
    """Comments and empty lines are skipped, and times after the end left out."""
    file = tmp_path / "times.txt"
    file.write_text("# as seen on Friday\n0\n0.5  # a pair\n0.5\n\n3.25\n")

    assert from_file(file).tolist() == [0, 0.5, 0.5, 3.25]
    assert arrivals(str(file), 0, 3.25, 0).tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0\nsoon\n", "line 2: 'soon' is no time"),
        ("1\n0.5\n", "line 2: 0.5 does not follow 1"),
        ("-1\n", "line 1: -1 does not follow 0"),
        ("nan\n", "line 1: nan does not follow"),
        ("inf\n", "line 1: inf does not follow"),
        ("# nothing\n", "holds no times"),
    ],
)
def test_file_that_is_no_schedule_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The message has the file and the line."""
    file = tmp_path / "times.txt"
    file.write_text(text)

    with pytest.raises(BadSchedule, match=complaint) as refusal:
        from_file(file)
    assert str(file) in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "rate", "seconds", "complaint"),
    [
        ("poisson", 0, 1, "rate must be positive and finite, and is 0"),
        ("constant", -3, 1, "rate must be positive and finite, and is -3"),
        ("constant", 1, float("inf"), "duration must be positive and finite, and is inf"),
        ("poison", 1, 1, "poisson, constant or a file of times; poison cannot be read"),
    ],
)
def test_impossible_schedule_is_refused(
    kind: str, rate: float, seconds: float, complaint: str
) -> None:
    """The message names the wrong value."""
    with pytest.raises(BadSchedule, match=complaint):
        arrivals(kind, rate, seconds, 0)
