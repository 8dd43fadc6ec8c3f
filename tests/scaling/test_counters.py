"""Do restarts, additions, failures and removals of pods leave the measured load correct?"""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.model import Freshness, Measure, Need
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.pods import Key, Scrape, TargetCounters, quantile

MAPPING = SeriesMapping(
    ("staging",), rate_metric="asked", in_flight_metric="asking", duration_metric="took"
)
RATE, IN_FLIGHT, DURATION = (Need(m) for m in (Measure.RATE, Measure.IN_FLIGHT, Measure.DURATION))
REPEATABLE = settings(derandomize=True, database=None)
WINDOW = 6.0
STEP = 5.0


class ScrapedTarget:
    """A target whose pods are scraped every STEP seconds."""

    def __init__(self) -> None:
        self.counters = TargetCounters(MAPPING, WINDOW)
        self.now = 1000.0

    def scrape(self, *silent: str, **counts: float | Mapping[Key, float]) -> None:
        """One round of scrapes; a number is a pod's counter of requests."""
        self.now += STEP
        scrapes = {
            pod: Scrape(self.now, {"asked": value} if isinstance(value, (int, float)) else value)
            for pod, value in counts.items()
        }
        self.counters.add(self.now, (*counts, *silent), scrapes, "x did not respond")

    def rate(self) -> float | None:
        reading = self.counters.reading(RATE, self.now)
        return reading.value if reading.freshness is Freshness.FRESH else None


def test_rate_needs_two_scrapes() -> None:
    """The first is the base of counting; in-flight needs one."""
    target = ScrapedTarget()
    target.scrape(a={"asked": 100, "asking": 3}, b={"asked": 900, "asking": 4})
    assert target.counters.reading(RATE, target.now).freshness is Freshness.EMPTY
    assert target.counters.reading(IN_FLIGHT, target.now).value == 7
    target.scrape(a={"asked": 150, "asking": 5}, b={"asked": 1000, "asking": 4})
    assert target.rate() == pytest.approx(150 / STEP)
    assert target.counters.reading(IN_FLIGHT, target.now).value == 8, "the mean of both scrapes"


@pytest.mark.parametrize("now", [20, 999])
def test_restarted_pod_is_extrapolated_from_the_others(now: int) -> None:
    """Its counters decreased, so its increase is unknown."""
    target = ScrapedTarget()
    target.scrape(a=1000, b=1000)
    target.scrape(a=now, b=1100)
    assert target.rate() == pytest.approx(200 / STEP)
    target.scrape(a=now + 50, b=1200)
    assert target.rate() == pytest.approx(150 / STEP)


def test_reappearing_counter_adds_no_past_requests() -> None:
    """A counter that was missing once does not add its whole value."""
    target = ScrapedTarget()
    target.scrape(a=5000, b=5000)
    target.scrape(a={}, b=5100)
    target.scrape(a=5200, b=5200)
    assert target.rate() == pytest.approx(100 / STEP)
    target.scrape(a=5300, b=5300)
    assert target.rate() == pytest.approx(200 / STEP)


def test_new_pod_adds_no_past_requests() -> None:
    """What it counted before it was ready is not load, and the others' rates are not reduced."""
    target = ScrapedTarget()
    target.scrape(a=0, b=0)
    target.scrape(a=100, b=100, c=5000)
    assert target.rate() == pytest.approx(200 / STEP)
    target.scrape(a=170, b=170, c=5070)
    assert target.rate() == pytest.approx(210 / STEP)


def test_removed_pods_requests_count_until_the_window_ends() -> None:
    """What it completed within the window stays counted."""
    track = TargetCounters(MAPPING, WINDOW)
    for at, counts in ((0, {"a": 0, "b": 0}), (3, {"a": 30, "b": 30}), (6, {"a": 90})):
        scrapes = {pod: Scrape(at, {"asked": count}) for pod, count in counts.items()}
        track.add(at, tuple(counts), scrapes, "")
    assert track.reading(RATE, 6).value == pytest.approx((90 + 30) / 6)


def test_silent_pod_is_extrapolated_from_the_others() -> None:
    """The reading names it; likewise until it was scraped twice again."""
    target = ScrapedTarget()
    target.scrape(
        a={"asked": 0, "asking": 2}, b={"asked": 0, "asking": 2}, c={"asked": 0, "asking": 2}
    )
    target.scrape("c", a={"asked": 100, "asking": 2}, b={"asked": 100, "asking": 2})
    assert target.rate() == pytest.approx(300 / STEP)
    assert target.counters.reading(IN_FLIGHT, target.now).value == pytest.approx(6)
    assert target.counters.reading(RATE, target.now).detail == (
        "1 of 3 pods returned no metrics: x did not respond"
    )
    target.scrape(a=200, b=200, c=200)
    assert target.rate() == pytest.approx(300 / STEP)
    assert target.counters.reading(RATE, target.now).detail == ""


def test_reading_is_an_error_when_half_are_silent() -> None:
    """Counting starts anew, so that the gap is not taken for low load."""
    target = ScrapedTarget()
    target.scrape(a=0, b=0)
    target.scrape("b", a=100)
    reading = target.counters.reading(RATE, target.now)
    assert (reading.freshness, reading.detail[:15]) == (Freshness.ERROR, "1 of 2 pods ret")
    target.scrape(a=200, b=200)
    assert target.counters.reading(RATE, target.now).freshness is Freshness.EMPTY
    target.scrape(a=300, b=300)
    assert target.rate() == pytest.approx(200 / STEP)


def test_reading_without_pods_is_empty() -> None:
    """No pod does not mean no load."""
    target = ScrapedTarget()
    target.scrape(a=0)
    target.scrape()
    assert target.counters.reading(RATE, target.now).detail == "no pod is ready"


def test_idle_target_has_rate_zero_and_no_duration() -> None:
    """A metric that no pod has is reported differently."""
    target = ScrapedTarget()
    idle: Mapping[Key, float] = {
        "asked": 7,
        "took_sum": 3,
        "took_count": 7,
        0.1: 7,
        float("inf"): 7,
    }
    target.scrape(a=idle)
    target.scrape(a=idle)
    assert target.rate() == 0
    for need in (DURATION, Need(Measure.QUANTILE, "0.9")):
        reading = target.counters.reading(need, target.now)
        assert (reading.freshness, reading.detail) == (
            Freshness.EMPTY,
            "no request completed recently",
        )
    assert target.counters.reading(IN_FLIGHT, target.now).detail == "no pod has asking"


def test_durations_are_those_of_recent_requests() -> None:
    """Older slow requests are in the counters and not in the reading."""
    target = ScrapedTarget()
    inf = float("inf")
    target.scrape(a={"took_sum": 9000, "took_count": 1000, 0.1: 0, 0.2: 0, inf: 1000})
    target.scrape(a={"took_sum": 9001, "took_count": 1010, 0.1: 5, 0.2: 10, inf: 1010})
    assert target.counters.reading(DURATION, target.now).value == pytest.approx(0.1)
    quantile = target.counters.reading(Need(Measure.QUANTILE, "0.75"), target.now)
    assert quantile.value == pytest.approx(0.15)


STEPS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000), min_size=1),
    min_size=2,
    max_size=12,
)


@REPEATABLE
@given(STEPS)
def test_every_request_is_counted_once(steps: list[dict[str, int]]) -> None:
    """Whichever pods are added and removed: the increase is what the pods present in two scrapes
    completed between them, over the window only.
    """
    track, counts = TargetCounters(MAPPING, WINDOW), dict.fromkeys("abcd", 0)
    answered: list[float] = []
    for at, more in enumerate(steps):
        stayed = set(more) & set(steps[at - 1]) if at else set()
        answered = [*answered, sum(more[pod] for pod in stayed)] if stayed else [0]
        for pod, requests in more.items():
            counts[pod] += requests
        scrapes = {pod: Scrape(float(at), {"asked": counts[pod]}) for pod in more}
        track.add(float(at), tuple(more), scrapes, "")
    reading = track.reading(RATE, float(len(steps)))
    if len(answered) == 1:
        assert reading.freshness is Freshness.EMPTY
    else:
        last = answered[1:][-int(WINDOW) :]
        assert reading.value == pytest.approx(sum(last) / len(last))


INF = math.inf


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
def test_quantile_is_interpolated_within_its_bucket(
    share: float, buckets: dict[float, float], value: float
) -> None:
    """Beyond the last finite bound it is that bound; decreasing counts are taken as constant."""
    assert quantile(share, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [{}, {INF: 3}, {0.1: 3}, {0.1: 0, INF: 0}])
def test_quantile_without_observations_is_none(buckets: dict[float, float]) -> None:
    """Also without a finite bound or the bucket +Inf."""
    assert quantile(0.5, buckets) is None
