"""What a store of profiles must promise.

As short as it is because a profile has no rule of its own; every room has the same files.
"""

from datetime import datetime
from typing import Protocol

from borough_shop.profiles.contract import Profile


class ProfileStore(Protocol):
    """One profile per customer."""

    async def get(self, customer_id: str) -> Profile | None:
        """The profile."""
        ...

    async def upsert(self, profile: Profile, at: datetime) -> None:
        """Insert it, or replace it whole."""
        ...
