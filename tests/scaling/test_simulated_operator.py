"""Is the operator in the simulation told what its sources would have told it, and no more?"""

import pytest

from borough_operator.decision.model import Freshness
from borough_operator.simulator import paths
from borough_operator.simulator.ours import BUCKETS, Ours, Source, histogram_quantile
from borough_operator.simulator.pods import model
from borough_operator.simulator.station import Second, Station
from borough_operator.simulator.timeline import Record, View

MODEL = model()


def rising(seconds: int) -> Record:
    """A past in which second n answered n requests and had n in flight."""
    record = Record()
    for n in range(seconds):
        rate = float(n)
        record.add(Second(rate, 40, 0.0, rate, 0.0, 0.5, rate, violated=False))
    return record


@pytest.mark.parametrize(
    ("source", "rate", "age"),
    [
        (Source.PODS, 96.0, 1.0),  # seconds 94 to 98, up to one second before the look
        (Source.PROMETHEUS, 91.5, 3.0),  # 87 to 96: two scrapes apart, the newer 3 s old
    ],
)
def test_a_rate_is_of_the_past_and_bears_its_age(source: Source, rate: float, age: float) -> None:
    """At second 100, of what was answered: the present is not known to anybody."""
    ours = Ours(MODEL, Station(MODEL), source)
    ours.scale(View(100, 40, 40, 80, rising(100)))

    assert ours.decision is not None
    proposal = ours.decision.proposals[0]
    assert (proposal.goal, proposal.freshness) == ("RequestRate", Freshness.FRESH)
    assert (proposal.value, proposal.age) == (rate, age)


def test_before_there_is_a_window_nothing_is_known() -> None:
    """And so nothing is done."""
    ours = Ours(MODEL, Station(MODEL), Source.PODS)

    assert ours.scale(View(0, 7, 7, 80, Record())) == 7
    assert ours.decision is not None
    assert {proposal.freshness for proposal in ours.decision.proposals} == {Freshness.EMPTY}


def test_a_quantile_is_read_off_the_buckets_as_prometheus_does() -> None:
    """Of 100 answers 40 were above 100 ms and 2 above 250 ms: rank 95 lies in that bucket, at
    (95 - 60) / (98 - 60) of the way from 100 to 250 ms.
    """
    above = [100.0] * 5 + [40.0, 2.0] + [0.0] * 7

    assert histogram_quantile(0.95, 100.0, above) == pytest.approx(0.1 + 0.15 * 35 / 38)


def test_a_quantile_beyond_the_last_bucket_is_its_bound() -> None:
    """As `histogram_quantile` documents."""
    assert histogram_quantile(0.95, 100.0, [50.0] * len(BUCKETS)) == BUCKETS[-1]


def test_a_gauge_is_right_on_average_and_off_by_chance() -> None:
    """100 in flight, looked at a thousand times: Poisson's spread is 10, of the mean 0.3."""
    record = Record()
    for _ in range(1001):
        record.add(Second(0.0, 1, 0.0, 0.0, 0.0, 0.0, 100.0, violated=False))
    looks = [paths.gauge(record, paths.Window(n, n), 5) for n in range(1, 1001)]
    mean = sum(looks) / len(looks)

    assert mean == pytest.approx(100.0, abs=1.0)
    assert sum((look - mean) ** 2 for look in looks) / len(looks) == pytest.approx(100.0, rel=0.15)
