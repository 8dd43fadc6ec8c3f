"""Profiles: name, email address and card token of customers."""

from borough.app import Definition
from borough_shop.profiles.contract import Profiles
from borough_shop.profiles.memory import MemoryProfiles
from borough_shop.profiles.service import ProfilesService
from borough_shop.profiles.store import SqlProfiles

CAPABILITY = Definition(
    contract=Profiles,
    make=lambda part, store: ProfilesService(store=store, clock=part.clock),
    sql=SqlProfiles,
    memory=MemoryProfiles,
)
