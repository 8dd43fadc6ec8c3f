"""Twin of the store of profiles."""

from datetime import datetime

from borough.contracts.profiles import Profile
from borough.testing.memory.rows import Rows, atomic


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
