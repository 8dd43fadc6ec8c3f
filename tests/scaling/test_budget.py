"""May there be a storm of writes?"""

from borough_operator.running.budget import TokenBucket


def test_after_a_rest_a_few_may_go_at_once_and_then_so_many_a_second() -> None:
    """Ten thousand who ask at the same moment are granted what the budget says."""
    budget = TokenBucket(per_second=50, burst=100)
    assert sum(budget.take(0.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.5) for _ in range(10_000)) == 25


def test_no_rest_saves_more_than_that() -> None:
    """A quiet night does not pay for a storm."""
    budget = TokenBucket(per_second=50, burst=100)
    assert budget.take(0.0)
    assert sum(budget.take(86_400.0) for _ in range(10_000)) == 100
