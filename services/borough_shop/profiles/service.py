"""Reads and writes profiles.

Short because a profile has no rule of its own; every capability has the same files.
"""

from dataclasses import dataclass

from borough.clock import Clock
from borough_shop.errors import ProfileUnknown
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.profiles.domain import ProfileStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesService(Profiles):
    store: ProfileStore
    clock: Clock

    async def get(self, request: GetProfile) -> Profile:
        profile = await self.store.get(request.customer_id)
        if profile is None:
            raise ProfileUnknown(f"there is no profile of customer {request.customer_id}")
        return profile

    async def upsert(self, request: Profile) -> Profile:
        await self.store.upsert(request, self.clock.now())
        return request
