"""Are the queueing formulas those of the books?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough_operator.decision.queueing import servers_for, staffed
from borough_operator.simulator.station import erlang_c


@given(st.floats(0.01, 150.0), st.floats(0.0, 10.0), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_servers_are_as_many_as_needed_and_no_more(
    load: float, patience: float, share: float
) -> None:
    """P(W > t) is at most the share with so many servers, and more than it with one fewer: by the
    simulator's own formula of Erlang's C, which the tables were asked about.
    """
    servers = servers_for(load, patience, share)

    def late(count: int) -> float:
        if count <= load:
            return 1.0
        return erlang_c(count, load) * math.exp((load - count) * patience)

    assert late(servers) <= share * (1 + 1e-9)
    assert servers == 1 or late(servers - 1) > share * (1 - 1e-9)


def test_a_load_of_millions_is_answered_without_counting_up_to_it() -> None:
    """Milliseconds taken for seconds: the answer still is enough, and within a hundredth."""
    exact, bound = servers_for(1e4, 0.0, 0.05), servers_for(1e4 + 0.01, 0.0, 0.05)
    assert exact <= bound <= 1.01 * exact
    assert servers_for(1e15, 0.0, 0.05) == pytest.approx(1e15)


def test_headroom_grows_with_the_square_root() -> None:
    """A hundred times the load has ten times the headroom: large pools may be busier."""
    assert staffed(1.0, 0.4) - 1.0 == pytest.approx(0.4)
    assert staffed(100.0, 0.4) - 100.0 == pytest.approx(4.0)
