"""Are the rivals of the leaderboard as good as their authors made them?

Each case is worked out by hand from the documented formula; the arithmetic stands beside it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.simulator import paths
from borough_operator.simulator.pods import model
from borough_operator.simulator.rivals.bounds import oracle, static
from borough_operator.simulator.rivals.hpa import HpaCpu, HpaRate, Keda
from borough_operator.simulator.rivals.kpa import Kpa
from borough_operator.simulator.scores import score
from borough_operator.simulator.station import Second, Station
from borough_operator.simulator.timeline import Record, View, run

MODEL = model()


def past(*spans: tuple[int, int], busy: float = 0.0, served: float = 0.0) -> Record:
    """A past of so many seconds with so many ready pods each, otherwise always the same."""
    record = Record()
    for seconds, ready in spans:
        for _ in range(seconds):
            record.add(Second(served, ready, 0.0, served, 0.0, busy, 0.0, violated=False))
    return record


def test_cpu_usage_is_as_old_as_two_caches_make_it() -> None:
    """At 60 metrics-server last asked at 53, when the kubelet's newest sample was of 50; the time
    before, at 38, it was of 30. At 75 it is 68 and 53, so 60 and 50: windows of 20 s and of 10 s.
    """
    assert paths.cpu(MODEL.cpu, 60) == paths.Window(30, 50)
    assert paths.cpu(MODEL.cpu, 75) == paths.Window(50, 60)
    assert paths.cpu(MODEL.cpu, 15) is None


def test_prometheus_knows_whole_scrapes_within_its_window() -> None:
    """At 100 the newest scrape is of 97. `rate()[15s]` sees those since 85: of 87, 92 and 97;
    `rate()[60s]` those since 40: of 42 and later.
    """
    assert paths.prometheus(MODEL.prometheus, 100, 15) == paths.Window(87, 97)
    assert paths.prometheus(MODEL.prometheus, 100, 60) == paths.Window(42, 97)


def test_hpa_on_cpu_asks_for_the_ratio_of_usage() -> None:
    """4 pods busy 90 % of the time, at a target of 60 %: ceil(90 / 60 x 4) = 6."""
    view = View(60, 4, 4, 50, past((60, 4), busy=0.9))

    assert HpaCpu(MODEL, 60).scale(view) == 6


def test_hpa_on_cpu_takes_pods_without_a_whole_window_for_unready() -> None:
    """6 ready, of which 2 only since second 40, in the window of 30 to 50: 4 count, at 90 %. Up, so
    the 2 join with nothing: floor(360 / 6) = 60 %, on target, so 6 stay.
    """
    record = past((40, 4), (20, 6), busy=0.9)

    assert HpaCpu(MODEL, 60).scale(View(60, 6, 6, 50, record)) == 6


def test_hpa_on_cpu_does_not_answer_before_it_has_usage() -> None:
    """Without metrics the size stays."""
    assert HpaCpu(MODEL, 60).scale(View(15, 4, 4, 50, past((15, 4), busy=0.9))) == 4


def test_hpa_on_a_rate_asks_for_the_mean_of_the_pods() -> None:
    """140 a second on 5 pods of 20 each, at a target of 70 %: 28 / 14 = 2, so 10."""
    assert HpaRate(MODEL, 70).scale(View(90, 5, 5, 50, past((90, 5), served=140.0))) == 10


def test_keda_asks_for_the_total_over_the_threshold() -> None:
    """141 a second at 14 a pod: ceil(10.07) = 11, limited to 5 + 5 in 15 s; then 11."""
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
    """A target of 70 % of one request a pod."""
    assert Kpa(MODEL, 70).decide(stable, panic, ready, 0.0) == answer


def test_kpa_gives_nothing_back_in_a_panic_and_leaves_it_after_a_stable_window() -> None:
    """14 asks for 20 of 10 ready and starts the panic at 0; it is over when 60 s have passed."""
    kpa = Kpa(MODEL, 70)

    assert kpa.decide(7.0, 14.0, 10, 0.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 30.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 60.0) == 20
    assert kpa.decide(7.0, 7.0, 20, 62.0) == 10


def test_kpa_prolongs_a_panic_that_goes_on() -> None:
    """A second burst at 40 keeps what was reached until 100 has passed, and adds to it."""
    kpa = Kpa(MODEL, 70)
    kpa.decide(7.0, 14.0, 10, 10.0)

    assert kpa.decide(7.0, 30.0, 20, 40.0) == 43  # ceil(30 / 0.7) = 43 >= 2 x 20
    assert kpa.decide(7.0, 7.0, 43, 100.0) == 43
    assert kpa.decide(7.0, 7.0, 43, 102.0) == 21  # 10 wanted, floor(43 / 2) at least


def test_static_is_what_the_peak_needs() -> None:
    """No less would do, and it violates nothing."""
    load, station = [20.0] * 40 + [100.0] * 20, Station(MODEL)
    told = score(run(load, static(load, station), station, MODEL), station)

    assert told.violations == 0
    assert told.replica_hours * 3600 == station.pods_needed(100.0) * 60


@given(st.lists(st.integers(0, 400), min_size=2, max_size=80))
def test_the_oracle_violates_nothing_for_as_little_as_that_can_cost(load: list[int]) -> None:
    """At each second it has what some second within the start-up time needs, and no more: the pod
    that will be ready then is being started.
    """
    loads, station = [float(rate) for rate in load], Station(MODEL)
    needs = [station.pods_needed(rate) for rate in loads]
    policy = oracle(loads, station, MODEL)
    lived = run(loads, policy, station, MODEL)

    assert score(lived, station).violations == 0
    ahead = int(MODEL.pod.start_s) + 1
    assert list(lived.replicas) == [max(needs[n : n + ahead]) for n in range(len(needs))]
