"""Does the simulated queue agree with queueing theory?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.simulator.station import Station, erlang_c, model

MODEL = model()
RATE = MODEL.pod.capacity
"""Requests per second of one pod: 20."""


@pytest.mark.parametrize(
    ("servers", "offered", "waits"),
    [
        (1, 0.5, 0.5),  # one server: the load itself
        (2, 1.0, 1 / 3),  # a^2/2 * 2/(2-1) / (1 + 1 + 1) = 1/3
        (3, 2.0, 4 / 9),  # (8/6 * 3) / (1 + 2 + 2 + 4) = 4/9
    ],
)
def test_erlang_c_matches_the_textbook(servers: int, offered: float, waits: float) -> None:
    """C(c, a) = a^c/c! c/(c-a) / (sum of a^k/k! below c + a^c/c! c/(c-a))."""
    assert erlang_c(servers, offered) == pytest.approx(waits)


def test_one_pod_is_an_m_m_1_queue() -> None:
    """M/M/1: P(T > t) = e^-(m - l)t; at 8 of 20 a second the quantile is ln(20) / 12 = 250 ms."""
    station = Station(MODEL)

    assert station.tail(8.0, 1, 0.25) == pytest.approx(math.exp(-3.0))
    assert station.tail(8.0, 1, math.log(20) / 12) == pytest.approx(0.05)
    assert (station.pods_needed(8.0), station.pods_needed(8.1)) == (1, 2)


def test_two_pods_are_an_m_m_2_queue() -> None:
    """M/M/2 at 20 a second, a = 1, C = 1/3, c-1-a = 0: P(T > 0.1) = e^-2 (1 + 1/3 * 2)."""
    assert Station(MODEL).tail(20.0, 2, 0.1) == pytest.approx(math.exp(-2) * (1 + 2 / 3))


@given(st.integers(1, 2000))
def test_pods_needed_is_the_fewest_without_a_violation(load: int) -> None:
    """One pod fewer violates the objective."""
    station = Station(MODEL)
    needed = station.pods_needed(float(load))

    assert not station.second(float(load), needed, 0.0).violated
    assert needed == 1 or station.second(float(load), needed - 1, 0.0).violated


@given(st.integers(0, 500), st.integers(1, 40))
def test_requests_are_dropped_only_beyond_the_patience(load: int, ready: int) -> None:
    """Each request is completed or waits, and at most ten seconds' work waits."""
    station, backlog = Station(MODEL), 0.0
    for _ in range(15):
        second = station.second(float(load), ready, backlog)
        kept = second.served + second.backlog
        limit = RATE * ready * MODEL.pod.patience_s

        assert kept <= backlog + load + 1e-9
        assert kept == pytest.approx(backlog + load) or second.backlog == pytest.approx(limit)
        assert 0.0 <= second.busy <= 1.0
        backlog = second.backlog


def test_backlog_delays_later_requests() -> None:
    """30 per second on one pod leave a backlog of 10, which delays the next request by half a
    second.
    """
    station = Station(MODEL)
    second = station.second(30.0, 1, 0.0)

    assert (second.served, second.backlog, second.violated) == (20.0, 10.0, True)
    assert station.second(1.0, 1, second.backlog).violated
    assert not station.second(1.0, 1, 0.0).violated


def test_second_without_pods_is_violated_unless_idle() -> None:
    """An idle second violates nothing."""
    station = Station(MODEL)

    assert station.second(5.0, 0, 0.0).violated
    assert not station.second(0.0, 0, 0.0).violated


def test_histogram_shares_match_the_tail() -> None:
    """The shares above a histogram's bounds are those of the tail; at full capacity all requests
    wait for the mean backlog of the second: (0 + 10) / 2 / 20 = 250 ms.
    """
    station = Station(MODEL)

    assert station.shares_above((0.1, 0.25), station.second(8.0, 1, 0.0))[1] == pytest.approx(
        math.exp(-3.0)
    )
    full = station.second(30.0, 1, 0.0)
    assert station.shares_above((0.1, 0.3), full) == pytest.approx((1.0, math.exp(-1.0)))
