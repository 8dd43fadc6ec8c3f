"""Are the queueing formulas those of the books?"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.queueing import erlang_c, servers_for, staffed


@pytest.mark.parametrize(
    ("servers", "load", "waits"),
    [
        (1, 0.5, 0.5),  # M/M/1: C = rho
        (2, 1.0, 1 / 3),  # (1/2 * 2) / (1 + 1 + 1)
        (3, 2.0, 4 / 9),  # (8/6 * 3) / (1 + 2 + 2 + 4)
        (10, 8.0, 0.40918),  # tables of Erlang's C formula
        (5, 0.0, 0.0),
        (5, 5.0, 1.0),
        (5, 9.0, 1.0),
    ],
)
def test_the_probability_to_wait_is_that_of_the_tables(
    servers: int, load: float, waits: float
) -> None:
    """Erlang's C, by hand for few servers, from tables for more, and 1 where the queue grows."""
    assert erlang_c(servers, load) == pytest.approx(waits, abs=1e-5)


@settings(deadline=None)
@given(st.floats(0.01, 150.0), st.floats(0.0, 10.0), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_servers_are_as_many_as_needed_and_no_more(
    load: float, patience: float, share: float
) -> None:
    """P(W > t) is at most the share with so many servers, and more than it with one fewer."""
    servers = servers_for(load, patience, share)

    def late(count: int) -> float:
        return erlang_c(count, load) * math.exp(min(0.0, load - count) * patience)

    assert late(servers) <= share * (1 + 1e-9)
    assert servers == 1 or late(servers - 1) > share * (1 - 1e-9)


def test_headroom_grows_with_the_square_root() -> None:
    """A hundred times the load has ten times the headroom: large pools may be busier."""
    assert staffed(1.0, 0.4) - 1.0 == pytest.approx(0.4)
    assert staffed(100.0, 0.4) - 100.0 == pytest.approx(4.0)
