"""Is there one profile per customer, the last one written?"""

from borough.testing.clock import MORNING
from borough_shop.profiles.domain import ProfileStore
from borough_shop.testing.samples import a_profile


async def test_a_customer_without_a_profile_has_none(profiles: ProfileStore) -> None:
    """Nothing is made up."""
    assert await profiles.get("ada") is None


async def test_a_profile_comes_back_as_it_was_written(profiles: ProfileStore) -> None:
    """Every field, for the right customer."""
    await profiles.upsert(a_profile("ada"), MORNING)
    await profiles.upsert(a_profile("bob"), MORNING)

    assert await profiles.get("ada") == a_profile("ada")


async def test_a_profile_is_replaced_whole(profiles: ProfileStore) -> None:
    """The second write leaves nothing of the first."""
    await profiles.upsert(a_profile(email="old@example.org"), MORNING)
    await profiles.upsert(a_profile(email="new@example.org"), MORNING)

    assert await profiles.get("ada") == a_profile(email="new@example.org")
