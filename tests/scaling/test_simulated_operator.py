"""Does the simulated operator get the readings of its sources, and nothing else?"""

import math

import pytest

from borough_operator.decision.model import Freshness
from borough_operator.simulator import timeline
from borough_operator.simulator.ours import BUCKETS, Ours, Source
from borough_operator.simulator.station import Second, Station, model
from borough_operator.simulator.timeline import Record, View
from borough_operator.sources.pods import quantile

MODEL = model()


def rising(seconds: int) -> Record:
    """A record in which second n completed n requests and had n in flight."""
    record = Record()
    for n in range(seconds):
        rate = float(n)
        record.add(Second(rate, 40, 0.0, rate, 0.0, 0.5, rate, violated=False))
    return record


@pytest.mark.parametrize(
    ("source", "rate", "age"),
    [
        (Source.PODS, 96.0, 1.0),  # seconds 94 to 98, up to one second before the evaluation
        (Source.PROMETHEUS, 91.5, 3.0),  # 87 to 96: two scrapes apart, the newer 3 s old
    ],
)
def test_rate_is_of_the_past_with_its_age(source: Source, rate: float, age: float) -> None:
    """At second 100, of completed requests; the present is unknown."""
    ours = Ours(MODEL, Station(MODEL), source)
    ours.scale(View(100, 40, 40, 80, rising(100)))

    assert ours.decision is not None
    proposal = ours.decision.proposals[0]
    assert (proposal.goal, proposal.freshness) == ("RequestRate", Freshness.FRESH)
    assert (proposal.value, proposal.age) == (rate, age)


def test_reading_without_a_window_is_empty() -> None:
    """And nothing is changed."""
    ours = Ours(MODEL, Station(MODEL), Source.PODS)

    assert ours.scale(View(0, 7, 7, 80, Record())) == 7
    assert ours.decision is not None
    assert {proposal.freshness for proposal in ours.decision.proposals} == {Freshness.EMPTY}


def test_quantile_is_interpolated_as_by_prometheus() -> None:
    """Of 100 requests 40 took more than 100 ms and 2 more than 250 ms: rank 95 is in that bucket,
    at (95 - 60) / (98 - 60) of the way from 100 to 250 ms.
    """
    counts = dict(zip(BUCKETS, [0.0] * 5 + [60.0, 98.0] + [100.0] * 7, strict=True))

    found = quantile(0.95, counts | {math.inf: 100.0})
    assert found == pytest.approx(0.1 + 0.15 * 35 / 38)


def test_quantile_beyond_the_last_bucket_is_its_bound() -> None:
    """As `histogram_quantile` documents."""
    assert quantile(0.95, dict.fromkeys(BUCKETS, 50.0) | {math.inf: 100.0}) == BUCKETS[-1]


def test_gauge_is_unbiased_with_poisson_noise() -> None:
    """100 in flight, read a thousand times: the standard deviation is 10, of the mean 0.3."""
    record = Record()
    for _ in range(1001):
        record.add(Second(0.0, 1, 0.0, 0.0, 0.0, 0.0, 100.0, violated=False))
    readings = [timeline.gauge(record, timeline.Window(n, n), 5) for n in range(1, 1001)]
    mean = sum(readings) / len(readings)

    assert mean == pytest.approx(100.0, abs=1.0)
    assert sum((reading - mean) ** 2 for reading in readings) / len(readings) == pytest.approx(
        100.0, rel=0.15
    )
