"""Profiles in memory.

Short because it keeps one dictionary; every capability has the same files.
"""

from datetime import datetime

from borough.testing.memory import Rows, atomic
from borough_shop.profiles.contract import Profile


class MemoryProfiles(Rows):
    def __init__(self) -> None:
        super().__init__()
        self._profiles: dict[str, Profile] = {}

    @atomic
    def get(self, customer_id: str) -> Profile | None:
        return self._profiles.get(customer_id)

    @atomic
    def upsert(self, profile: Profile, at: datetime) -> None:
        self._profiles[profile.customer_id] = profile
