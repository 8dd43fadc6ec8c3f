"""Does each store in memory behave as the one on a database?

The suite of the kit compares all rows. Verdicts and profiles, whose stores are small, are here as
well: is there one final verdict for each order, and one profile for each customer, the last one
written?
"""

from borough.testing import suites
from borough.testing.clock import MORNING
from borough_shop.app import APP
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from borough_shop.profiles.domain import ProfileStore
from shop.journeys import ENDINGS, ordering
from shop.samples import a_profile, an_id, euros
from shop.simulation import SETTINGS

CAPTURED = Verdict(order_id=an_id(1), outcome=Outcome.CAPTURED, amount=euros(5))
DECLINED = Verdict(order_id=an_id(2), outcome=Outcome.DECLINED)
VOIDED = Verdict(order_id=an_id(1), outcome=Outcome.VOIDED)


async def test_database_has_the_rows_of_memory(empty_store_url: str) -> None:
    """Row for row, after an order of every outcome; both stores have the same methods."""
    journey = ordering(*ENDINGS.values())
    assert await suites.stores(APP, journey, empty_store_url, settings=SETTINGS) == {}


async def test_order_without_a_decision_has_no_verdict(verdicts: VerdictStore) -> None:
    """There is no verdict before the first decision."""
    assert await verdicts.find(an_id(1)) is None


async def test_first_verdict_is_kept_and_reported_as_new(verdicts: VerdictStore) -> None:
    """Each decision returns the stored verdict, and whether it wrote it."""
    assert await verdicts.decide(CAPTURED, "digest", MORNING) == (CAPTURED, True)
    assert await verdicts.decide(VOIDED, "", MORNING) == (CAPTURED, False)
    assert await verdicts.find(CAPTURED.order_id) == CAPTURED


async def test_same_verdict_twice_is_written_once(verdicts: VerdictStore) -> None:
    """A duplicate changes nothing, and is reported as not new."""
    await verdicts.decide(CAPTURED, "digest", MORNING)

    assert await verdicts.decide(CAPTURED, "digest", MORNING) == (CAPTURED, False)
    assert await verdicts.ledger() == (CAPTURED,)


async def test_the_ledger_holds_every_verdict(verdicts: VerdictStore) -> None:
    """With amounts where money was captured, and without where it was not."""
    for verdict in (CAPTURED, DECLINED):
        await verdicts.decide(verdict, "", MORNING)

    assert set(await verdicts.ledger()) == {CAPTURED, DECLINED}


async def test_customer_without_a_profile_has_none(profiles: ProfileStore) -> None:
    """No default is returned."""
    assert await profiles.get("ada") is None


async def test_profile_is_returned_as_it_was_written(profiles: ProfileStore) -> None:
    """Every field, for the right customer."""
    await profiles.upsert(a_profile("ada"), MORNING)
    await profiles.upsert(a_profile("bob"), MORNING)

    assert await profiles.get("ada") == a_profile("ada")


async def test_profile_is_replaced_completely(profiles: ProfileStore) -> None:
    """The second write leaves nothing of the first."""
    await profiles.upsert(a_profile(email="old@example.org"), MORNING)
    await profiles.upsert(a_profile(email="new@example.org"), MORNING)

    assert await profiles.get("ada") == a_profile(email="new@example.org")
