"""Does the generator see a server that stands still, as its customers would?"""

import pytest

from borough_bill.frozen import freeze_check
from borough_bill.generator import Generator


async def test_a_freeze_is_seen_by_everybody_who_came_in_it() -> None:
    """Still for 1 s in every 10 s: P(latency > x) = (1 - x) / 10, so p95 = 0.5 s, p99 = 0.9 s."""
    async with Generator() as generator:
        p95, p99 = await freeze_check(generator)

    assert p95 == pytest.approx(0.5, rel=0.05)
    assert p99 == pytest.approx(0.9, rel=0.05)
