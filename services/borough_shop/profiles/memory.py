"""Twin of the store of profiles.

As short as it is because one dictionary is all that it keeps; every room has the same files.
"""

from datetime import datetime

from borough.testing.memory import Rows, atomic
from borough_shop.profiles.contract import Profile


class MemoryProfiles(Rows):
    """Twin of `SqlProfiles`."""

    def __init__(self) -> None:
        super().__init__()
        self._profiles: dict[str, Profile] = {}

    @atomic
    def get(self, customer_id: str) -> Profile | None:
        return self._profiles.get(customer_id)

    @atomic
    def upsert(self, profile: Profile, at: datetime) -> None:
        self._profiles[profile.customer_id] = profile
