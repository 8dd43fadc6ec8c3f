"""Does the generator measure the latency of a frozen server as customers would see it?

A file of its own because it takes ten seconds, which no other test has to wait for.
"""

import pytest

from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator
from borough_bill.results import Freeze

TRIES = 3
"""A busy machine may add a stall of its own to one attempt. A generator that waits for answers
before it sends again would fail all of them.
"""


async def test_freeze_is_in_the_latency_of_every_request_it_delays() -> None:
    """Frozen for 1 s in every 10 s: P(latency > x) = (1 - x) / 10, so p95 = 0.5 s, p99 = 0.9 s, and
    more by the server's own clock on a busy machine.
    """
    seen: list[Freeze] = []
    async with Generator() as generator:
        while not any(map(as_given, seen)) and len(seen) < TRIES:
            seen.append(await freeze_check(generator))

    assert any(map(as_given, seen)), seen
    assert all(each.given_p95_s > 0.49 and each.given_p99_s > 0.89 for each in seen)


def as_given(seen: Freeze) -> bool:
    """Within 5 %."""
    given = (seen.given_p95_s, seen.given_p99_s)
    return (seen.p95_s, seen.p99_s) == pytest.approx(given, rel=0.05)
