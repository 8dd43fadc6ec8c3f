"""The source of time and identifiers, so that tests can supply both."""

import asyncio
import random
import time
from datetime import UTC, datetime
from uuid import UUID

unix_ns = time.time_ns
"""Nanoseconds of Unix time: for timestamps of records only, never for decisions."""


class Clock:
    """The clock of the machine: wall time for what is stored, monotonic for what is measured."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since a fixed point in time; never decreases."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds."""
        await asyncio.sleep(seconds)

    def new_id(self) -> UUID:
        """A UUIDv7 of the current time: sorts by time of creation."""
        return uuid7(time.time_ns(), random.getrandbits(62))


def uuid7(nanoseconds: int, chance: int) -> UUID:
    """A UUIDv7 of a Unix time (RFC 9562, 5.7 with method 3 of 6.2).

    `rand_a` holds the fraction of the millisecond, so ids of one process sort by creation down to a
    quarter of a microsecond; `chance` is 62 random bits.
    """
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return UUID(
        int=(milliseconds & (1 << 48) - 1) << 80
        | 0x7 << 76
        | fraction << 64
        | 0b10 << 62
        | chance & (1 << 62) - 1
    )
