"""When does a breaker open, which calls are retried, and which replica is chosen?"""

import random

from hypothesis import given
from hypothesis import strategies as st

from borough.transport.addresses import Address, choose
from borough.transport.resilience import (
    LONGEST_PAUSE_S,
    PAUSE_S,
    Breaker,
    Permit,
    RetryBudget,
)


def fail(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.failed(now)


def test_breaker_opens_after_consecutive_failures() -> None:
    """One success in between resets the count."""
    breaker = Breaker(failures=3)
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.permit(0) is Permit.CALL
    assert breaker.failed(0)
    assert breaker.permit(0) is Permit.NO


def test_open_breaker_lets_one_call_through_per_pause() -> None:
    """The probe decides; a lost probe blocks the peer for one pause at most."""
    breaker = Breaker(failures=1)
    fail(breaker, 1, now=10)
    assert breaker.permit(10 + PAUSE_S / 2) is Permit.NO
    assert breaker.permit(10 + PAUSE_S) is Permit.PROBE
    assert breaker.permit(10 + PAUSE_S) is Permit.NO
    assert breaker.permit(10 + 2 * PAUSE_S) is Permit.PROBE
    breaker.succeeded()
    assert breaker.permit(10 + 2 * PAUSE_S) is Permit.CALL


def test_pause_of_a_breaker_doubles_with_each_failed_probe_up_to_a_bound() -> None:
    """An absent peer is probed less and less often, but always again."""
    breaker, now = Breaker(failures=1), 0.0
    fail(breaker, 1, now)
    for _ in range(20):
        now += LONGEST_PAUSE_S
        assert breaker.permit(now) is Permit.PROBE
        breaker.failed(now, Permit.PROBE)
    assert breaker.permit(now + LONGEST_PAUSE_S - 0.01) is Permit.NO
    assert breaker.permit(now + LONGEST_PAUSE_S) is Permit.PROBE


def test_failures_of_calls_in_flight_do_not_lengthen_the_pause() -> None:
    """Thirty calls that fail together count as one failure of the peer."""
    breaker = Breaker(failures=1)
    fail(breaker, 30, now=0)
    assert breaker.permit(PAUSE_S) is Permit.PROBE


@given(st.lists(st.booleans(), max_size=400))
def test_retries_never_exceed_their_share(wants: list[bool]) -> None:
    """In any order of calls and requests for a retry, at most a tenth of the calls is repeated."""
    budget, retries = RetryBudget(share=0.1), 0
    for calls, wish in enumerate(wants, 1):
        budget.called()
        retries += wish and budget.take()
        assert retries <= calls * 0.1 + 1e-9


def test_budget_counts_whole_tries() -> None:
    """A fraction of a try allows no retry."""
    budget = RetryBudget(share=0.5)
    left = []
    for _ in range(3):
        budget.called()
        left.append(budget.left)
    assert left == [0, 1, 1]
    assert budget.take()
    assert budget.left == 0


def first_two(addresses: list[Address]) -> tuple[Address, Address]:
    return addresses[0], addresses[1]


def test_less_loaded_of_two_is_chosen() -> None:
    """Two replicas are drawn at random, and the one with fewer calls is chosen."""
    busy, idle = Address("http://a:1", in_flight=3), Address("http://b:1")
    assert choose([busy, idle], 0, first_two) is idle


def test_failed_or_avoided_replica_is_skipped_while_another_is_available() -> None:
    """Where there is no other, it is chosen all the same."""
    avoided, fresh = Address("http://a:1", avoided_until=5), Address("http://b:1", in_flight=9)
    assert choose([avoided, fresh], 0, first_two) is fresh
    assert choose([avoided, fresh], 6, first_two) is avoided
    assert choose([avoided, fresh], 6, first_two, avoid=avoided) is fresh
    assert choose([avoided], 0, first_two, avoid=avoided) is avoided


def test_two_choices_balance_better_than_one() -> None:
    """With 4 replicas and long calls, no replica gets half more than its share."""
    chance = random.Random(7)
    replicas = [Address(f"http://r{n}:1") for n in range(4)]

    def any_two(addresses: list[Address]) -> tuple[Address, Address]:
        one, two = chance.sample(addresses, 2)
        return one, two

    for _ in range(400):
        choose(replicas, 0, any_two).in_flight += 1
    assert max(replica.in_flight for replica in replicas) < 150
