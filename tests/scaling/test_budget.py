"""Does the token bucket limit the rate of writes?"""

from borough_operator.running.budget import TokenBucket


def test_bucket_grants_its_burst_and_then_its_rate() -> None:
    """Of ten thousand requests at once only so many are granted."""
    budget = TokenBucket(per_second=50, burst=100)
    assert sum(budget.take(0.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.5) for _ in range(10_000)) == 25


def test_bucket_saves_at_most_its_burst() -> None:
    """A day without requests grants no more than the burst."""
    budget = TokenBucket(per_second=50, burst=100)
    assert budget.take(0.0)
    assert sum(budget.take(86_400.0) for _ in range(10_000)) == 100
