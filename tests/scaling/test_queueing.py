"""Do the queueing formulas agree with the literature?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.decision.queueing import servers_for, staffed
from borough_operator.simulator.station import erlang_c


@given(st.floats(0.01, 150.0), st.floats(0.0, 10.0), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_servers_are_the_fewest_that_meet_the_share(
    load: float, patience: float, share: float
) -> None:
    """P(W > t) is at most the share with so many servers, and above it with one fewer, by the
    simulator's independent formula of Erlang's C.
    """
    servers = servers_for(load, patience, share)

    def late(count: int) -> float:
        if count <= load:
            return 1.0
        return erlang_c(count, load) * math.exp((load - count) * patience)

    assert late(servers) <= share * (1 + 1e-9)
    assert servers == 1 or late(servers - 1) > share * (1 - 1e-9)


def test_bound_replaces_the_exact_result_for_huge_loads() -> None:
    """It is sufficient and within a hundredth, in constant time: milliseconds may be taken for
    seconds.
    """
    exact, bound = servers_for(1e4, 0.0, 0.05), servers_for(1e4 + 0.01, 0.0, 0.05)
    assert exact <= bound <= 1.01 * exact
    assert servers_for(1e15, 0.0, 0.05) == pytest.approx(1e15)


def test_headroom_grows_with_the_square_root() -> None:
    """A hundred times the load has ten times the headroom."""
    assert staffed(1.0, 0.4) - 1.0 == pytest.approx(0.4)
    assert staffed(100.0, 0.4) - 100.0 == pytest.approx(4.0)
