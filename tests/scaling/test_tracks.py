"""Do a pod's restart, arrival, silence and end leave the load what it is?"""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.model import Measure, Need, Truth
from borough_operator.sources.exposition import Key
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.tracks import Told, Track, quantile

MAPPING = SeriesMapping(
    ("town",), rate_metric="asked", in_flight_metric="asking", duration_metric="took"
)
RATE, IN_FLIGHT, DURATION = (Need(m) for m in (Measure.RATE, Measure.IN_FLIGHT, Measure.DURATION))
REPEATABLE = settings(derandomize=True, database=None)
WINDOW = 6.0
STEP = 5.0
INF = math.inf


class Town:
    """A target whose pods are looked at every STEP seconds."""

    def __init__(self) -> None:
        self.track = Track(MAPPING, WINDOW)
        self.now = 1000.0

    def look(self, *silent: str, **counts: float | Mapping[Key, float]) -> None:
        """One look: what each pod that answers told; a number is its count of requests."""
        self.now += STEP
        told = {
            pod: Told(self.now, {"asked": said} if isinstance(said, (int, float)) else said)
            for pod, said in counts.items()
        }
        self.track.look(self.now, (*counts, *silent), told, "x gave no answer within 1 s")

    def rate(self) -> float | None:
        reading = self.track.reading(RATE, self.now)
        return reading.value if reading.truth is Truth.FRESH else None


def test_a_rate_takes_two_looks() -> None:
    """The first tells where counting begins; in-flight needs no second."""
    town = Town()
    town.look(a={"asked": 100, "asking": 3}, b={"asked": 900, "asking": 4})
    assert town.track.reading(RATE, town.now).truth is Truth.EMPTY
    assert town.track.reading(IN_FLIGHT, town.now).value == 7
    town.look(a={"asked": 150, "asking": 5}, b={"asked": 1000, "asking": 4})
    assert town.rate() == pytest.approx(150 / STEP)
    assert town.track.reading(IN_FLIGHT, town.now).value == 8, "the mean of both looks"


@pytest.mark.parametrize("now", [20, 999])
def test_a_pod_whose_counters_fell_does_as_its_peers(now: int) -> None:
    """It started again, or forgot a series: what it counted meanwhile is not what it shows."""
    town = Town()
    town.look(a=1000, b=1000)
    town.look(a=now, b=1100)
    assert town.rate() == pytest.approx(200 / STEP)
    town.look(a=now + 50, b=1200)
    assert town.rate() == pytest.approx(150 / STEP)


def test_a_counter_that_appears_brings_no_past() -> None:
    """Left out of an answer once, it is not taken for an hour of load when it is back."""
    town = Town()
    town.look(a=5000, b=5000)
    town.look(a={}, b=5100)
    town.look(a=5200, b=5200)
    assert town.rate() == pytest.approx(100 / STEP)
    town.look(a=5300, b=5300)
    assert town.rate() == pytest.approx(200 / STEP)


def test_a_pod_that_arrives_brings_no_past() -> None:
    """What it counted before it was ready, or before it was unready for a while, is not load; and
    its peers are not taken to have halved what it may do.
    """
    town = Town()
    town.look(a=0, b=0)
    town.look(a=100, b=100, c=5000)
    assert town.rate() == pytest.approx(200 / STEP)
    town.look(a=170, b=170, c=5070)
    assert town.rate() == pytest.approx(210 / STEP)


def test_a_pod_that_goes_takes_its_past_along_slowly() -> None:
    """What it answered within the window was answered."""
    track = Track(MAPPING, WINDOW)
    for at, counts in ((0, {"a": 0, "b": 0}), (3, {"a": 30, "b": 30}), (6, {"a": 90})):
        told = {pod: Told(at, {"asked": count}) for pod, count in counts.items()}
        track.look(at, tuple(counts), told, "")
    assert track.reading(RATE, 6).value == pytest.approx((90 + 30) / 6)


def test_a_pod_that_is_silent_does_as_its_peers() -> None:
    """Its load is estimated, and the reading says of whom; likewise until it has counted again."""
    town = Town()
    town.look(a={"asked": 0, "asking": 2}, b={"asked": 0, "asking": 2}, c={"asked": 0, "asking": 2})
    town.look("c", a={"asked": 100, "asking": 2}, b={"asked": 100, "asking": 2})
    assert town.rate() == pytest.approx(300 / STEP)
    assert town.track.reading(IN_FLIGHT, town.now).value == pytest.approx(6)
    assert town.track.reading(RATE, town.now).detail == (
        "1 of 3 pods gave no metrics: x gave no answer within 1 s"
    )
    town.look(a=200, b=200, c=200)
    assert town.rate() == pytest.approx(300 / STEP)
    assert town.track.reading(RATE, town.now).detail == ""


def test_when_half_are_silent_nothing_is_known() -> None:
    """And counting begins anew, so that the gap is not taken for a lull."""
    town = Town()
    town.look(a=0, b=0)
    town.look("b", a=100)
    reading = town.track.reading(RATE, town.now)
    assert (reading.truth, reading.detail[:15]) == (Truth.ERROR, "1 of 2 pods gav")
    town.look(a=200, b=200)
    assert town.track.reading(RATE, town.now).truth is Truth.EMPTY
    town.look(a=300, b=300)
    assert town.rate() == pytest.approx(200 / STEP)


def test_without_pods_nothing_is_known() -> None:
    """No pod is no load told, which is not no load."""
    town = Town()
    town.look(a=0)
    town.look()
    assert town.track.reading(RATE, town.now).detail == "no pod is ready"


def test_no_requests_are_zero_and_tell_no_duration() -> None:
    """A metric that nobody tells is another matter."""
    town = Town()
    idle: Mapping[Key, float] = {
        "asked": 7,
        "took_sum": 3,
        "took_count": 7,
        0.1: 7,
        float("inf"): 7,
    }
    town.look(a=idle)
    town.look(a=idle)
    assert town.rate() == 0
    for need in (DURATION, Need(Measure.QUANTILE, "0.9")):
        reading = town.track.reading(need, town.now)
        assert (reading.truth, reading.detail) == (Truth.EMPTY, "no request was answered of late")
    assert town.track.reading(IN_FLIGHT, town.now).detail == "no pod tells asking"


def test_durations_are_those_of_the_last_requests() -> None:
    """A slow hour yesterday is in the counters, and in no reading."""
    town = Town()
    inf = float("inf")
    town.look(a={"took_sum": 9000, "took_count": 1000, 0.1: 0, 0.2: 0, inf: 1000})
    town.look(a={"took_sum": 9001, "took_count": 1010, 0.1: 5, 0.2: 10, inf: 1010})
    assert town.track.reading(DURATION, town.now).value == pytest.approx(0.1)
    quantile = town.track.reading(Need(Measure.QUANTILE, "0.75"), town.now)
    assert quantile.value == pytest.approx(0.15)


STEPS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000), min_size=1),
    min_size=2,
    max_size=12,
)


@REPEATABLE
@given(STEPS)
def test_every_request_is_counted_once(steps: list[dict[str, int]]) -> None:
    """Whichever pods come and go: what those who were there before and still are have answered
    since is the increase, no more and no less, and no more than the window is remembered.
    """
    track, counts = Track(MAPPING, WINDOW), dict.fromkeys("abcd", 0)
    answered: list[float] = []
    for at, more in enumerate(steps):
        stayed = set(more) & set(steps[at - 1]) if at else set()
        answered = [*answered, sum(more[pod] for pod in stayed)] if stayed else [0]
        for pod, requests in more.items():
            counts[pod] += requests
        told = {pod: Told(float(at), {"asked": counts[pod]}) for pod in more}
        track.look(float(at), tuple(more), told, "")
    reading = track.reading(RATE, float(len(steps)))
    if len(answered) == 1:
        assert reading.truth is Truth.EMPTY
    else:
        last = answered[1:][-int(WINDOW) :]
        assert reading.value == pytest.approx(sum(last) / len(last))


@pytest.mark.parametrize(
    ("share", "buckets", "value"),
    [
        (0.5, {0.1: 10, 0.2: 20, INF: 20}, 0.1),
        (0.75, {0.1: 10, 0.2: 20, INF: 20}, 0.15),
        (0.25, {0.1: 10, 0.2: 20, INF: 20}, 0.05),
        (0.95, {0.1: 10, 0.2: 10, INF: 20}, 0.2),
        (0.75, {0.1: 10, 0.2: 8, 0.4: 20, INF: 20}, 0.3),
    ],
)
def test_observations_lie_evenly_within_their_bucket(
    share: float, buckets: dict[float, float], value: float
) -> None:
    """And beyond the last bound at that bound; a count that falls is one that stays."""
    assert quantile(share, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [{}, {INF: 3}, {0.1: 3}, {0.1: 0, INF: 0}])
def test_without_observations_there_is_no_quantile(buckets: dict[float, float]) -> None:
    """Nor without a finite bound, or without the bucket of all."""
    assert quantile(0.5, buckets) is None
