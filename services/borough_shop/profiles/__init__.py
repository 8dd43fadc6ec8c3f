"""Profiles: who a customer is, and which card pays."""

from borough.app import Definition
from borough.compose import Composition
from borough_shop.profiles.contract import Profiles
from borough_shop.profiles.domain import ProfileStore
from borough_shop.profiles.memory import MemoryProfiles
from borough_shop.profiles.service import ProfilesService
from borough_shop.profiles.store import SqlProfiles


def make(part: Composition, store: ProfileStore) -> ProfilesService:
    """The service."""
    return ProfilesService(store=store, clock=part.clock)


CAPABILITY = Definition(
    contract=Profiles,
    make=make,
    sql=SqlProfiles,
    memory=MemoryProfiles,
)
