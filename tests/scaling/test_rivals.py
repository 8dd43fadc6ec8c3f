"""Are the rivals of the leaderboard equal to their originals?

Each case is computed by hand from the documented formula; the arithmetic is beside it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.simulator import timeline
from borough_operator.simulator.rivals import HpaCpu, HpaRate, Keda, Kpa, oracle, static
from borough_operator.simulator.scores import score
from borough_operator.simulator.station import Second, Station, model
from borough_operator.simulator.timeline import Record, View, run

MODEL = model()


def past(*spans: tuple[int, int], busy: float = 0.0, served: float = 0.0) -> Record:
    """A record of so many seconds with so many ready pods each."""
    record = Record()
    for seconds, ready in spans:
        for _ in range(seconds):
            record.add(Second(served, ready, 0.0, served, 0.0, busy, 0.0, violated=False))
    return record


def test_cpu_usage_is_delayed_by_kubelet_and_metrics_server() -> None:
    """At 60 metrics-server last scraped at 53, when the kubelet's newest sample was of 50; before
    that at 38, of 30. At 75 it is 68 and 53, so 60 and 50: windows of 20 s and of 10 s.
    """
    assert timeline.cpu(MODEL.cpu, 60) == timeline.Window(30, 50)
    assert timeline.cpu(MODEL.cpu, 75) == timeline.Window(50, 60)
    assert timeline.cpu(MODEL.cpu, 15) is None


def test_prometheus_window_contains_whole_scrapes() -> None:
    """At 100 the newest scrape is of 97. `rate()[15s]` has those since 85: 87, 92 and 97;
    `rate()[60s]` those since 40: 42 and later.
    """
    assert timeline.prometheus(MODEL.prometheus, 100, 15) == timeline.Window(87, 97)
    assert timeline.prometheus(MODEL.prometheus, 100, 60) == timeline.Window(42, 97)


def test_hpa_on_cpu_scales_by_the_ratio_of_usage() -> None:
    """4 pods busy 90 % of the time, at a target of 60 %: ceil(90 / 60 x 4) = 6."""
    view = View(60, 4, 4, 50, past((60, 4), busy=0.9))

    assert HpaCpu(MODEL, 60).scale(view) == 6


def test_hpa_on_cpu_counts_pods_without_a_whole_window_as_unready() -> None:
    """6 ready, of which 2 only since second 40, in the window of 30 to 50: 4 count, at 90 %.
    Upwards the 2 count as 0: floor(360 / 6) = 60 %, on target, so 6 stay.
    """
    record = past((40, 4), (20, 6), busy=0.9)

    assert HpaCpu(MODEL, 60).scale(View(60, 6, 6, 50, record)) == 6


def test_hpa_on_cpu_keeps_the_size_without_usage() -> None:
    """There are no two scrapes yet."""
    assert HpaCpu(MODEL, 60).scale(View(15, 4, 4, 50, past((15, 4), busy=0.9))) == 4


def test_hpa_on_a_rate_scales_by_the_mean_of_the_pods() -> None:
    """140 per second on 5 pods of 20 each, at a target of 70 %: 28 / 14 = 2, so 10."""
    assert HpaRate(MODEL, 70).scale(View(90, 5, 5, 50, past((90, 5), served=140.0))) == 10


def test_keda_scales_by_the_total_by_the_threshold() -> None:
    """141 per second at 14 for each pod: ceil(10.07) = 11, limited to 5 + 5 in 15 s; then 11."""
    keda, record = Keda(MODEL, 70), past((200, 5), served=141.0)

    assert keda.scale(View(150, 5, 5, 50, record)) == 10
    assert keda.scale(View(165, 9, 9, 50, record)) == 11


def test_keda_within_tolerance_changes_nothing() -> None:
    """141 / (14 x 10) = 1.007 is within a tenth."""
    assert Keda(MODEL, 70).scale(View(150, 10, 10, 50, past((200, 10), served=141.0))) == 10


@pytest.mark.parametrize(
    ("stable", "panic", "ready", "answer"),
    [
        (7.0, 7.0, 10, 10),  # ceil(7 / 0.7) = 10
        (7.1, 7.1, 10, 11),  # no tolerance
        (2.1, 2.1, 10, 5),  # 3 wanted, but no fewer than floor(10 / 2)
        (7.0, 13.9, 10, 20),  # ceil(13.9 / 0.7) = 20 = 2 x 10: panic, and the larger answer
        (7.0, 13.0, 10, 10),  # 19 < 2 x 10: no panic, so the panic window does not count
        (0.1, 0.1, 0, 1),  # none ready counts as one
    ],
)
def test_kpa_divides_concurrency_by_its_target(
    stable: float, panic: float, ready: int, answer: int
) -> None:
    """With a target of 70 % of one request for each pod."""
    assert Kpa(MODEL, 70).decide(stable, panic, ready, 0.0) == answer


def test_kpa_removes_nothing_in_a_panic_until_a_stable_window_passed() -> None:
    """14 demands 20 with 10 ready and starts the panic at 0; it ends after 60 s."""
    kpa = Kpa(MODEL, 70)

    assert kpa.decide(7.0, 14.0, 10, 0.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 30.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 60.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 62.0) == 10


def test_kpa_extends_a_panic_at_a_second_burst() -> None:
    """A second burst at 40 keeps the size until 100 has passed, and adds to it."""
    kpa = Kpa(MODEL, 70)
    kpa.decide(7.0, 14.0, 10, 10.0)

    assert kpa.decide(7.0, 30.0, 20, 40.0) == 43  # ceil(30 / 0.7) = 43 >= 2 x 20
    assert kpa.decide(7.0, 7.0, 43, 100.0) == 43
    assert kpa.decide(7.0, 7.0, 43, 102.0) == 21  # 10 wanted, floor(43 / 2) at least


def test_static_size_is_that_of_the_peak() -> None:
    """It violates nothing, and fewer would."""
    load, station = [20.0] * 40 + [100.0] * 20, Station(MODEL)
    scored = score(run(load, static(load, station), station, MODEL), station)

    assert scored.violations == 0
    assert scored.replica_hours * 3600 == station.pods_needed(100.0) * 60


@given(st.lists(st.integers(0, 400), min_size=2, max_size=80))
def test_oracle_violates_nothing_at_the_lowest_cost(load: list[int]) -> None:
    """At each second it has the largest need within the start-up time ahead."""
    loads, station = [float(rate) for rate in load], Station(MODEL)
    needs = [station.pods_needed(rate) for rate in loads]
    policy = oracle(loads, station, MODEL)
    ran = run(loads, policy, station, MODEL)

    assert score(ran, station).violations == 0
    ahead = int(MODEL.pod.start_s) + 1
    assert list(ran.replicas) == [max(needs[n : n + ahead]) for n in range(len(needs))]
