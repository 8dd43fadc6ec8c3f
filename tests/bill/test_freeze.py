"""Does the generator measure the latency of a frozen server as customers would see it?"""

import pytest

from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator

TRIES = 3
"""A busy machine may add a stall of its own to one attempt. A generator that waits for answers
before it sends again would fail all of them.
"""


async def test_freeze_is_in_the_latency_of_every_request_it_delays() -> None:
    """Frozen for 1 s in every 10 s: P(latency > x) = (1 - x) / 10, so p95 = 0.5 s, p99 = 0.9 s."""
    known = pytest.approx((0.5, 0.9), rel=0.05)
    seen: list[tuple[float, float]] = []
    async with Generator() as generator:
        while known not in seen and len(seen) < TRIES:
            seen.append(await freeze_check(generator))

    assert known in seen
