"""The interface of the store of profiles.

Short because a profile has no rule of its own; every capability has the same files.
"""

from datetime import datetime
from typing import Protocol

from borough_shop.profiles.contract import Profile


class ProfileStore(Protocol):
    """One profile per customer."""

    async def get(self, customer_id: str) -> Profile | None: ...

    async def upsert(self, profile: Profile, at: datetime) -> None:
        """Insert it, or replace it whole."""
        ...
