"""Is there one verdict per order, for good?"""

from borough.testing.clock import MORNING
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.payments.domain import VerdictStore
from borough_shop.testing.samples import an_id, euros

CAPTURED = Verdict(order_id=an_id(1), outcome=Outcome.CAPTURED, amount=euros(5))
DECLINED = Verdict(order_id=an_id(2), outcome=Outcome.DECLINED)
VOIDED = Verdict(order_id=an_id(1), outcome=Outcome.VOIDED)


async def test_an_order_nobody_decided_has_no_verdict(verdicts: VerdictStore) -> None:
    """Nothing is found before the first decision."""
    assert await verdicts.find(an_id(1)) is None


async def test_the_first_verdict_stands_and_is_told_apart(verdicts: VerdictStore) -> None:
    """Whoever decides learns the verdict that stands, and whether it is theirs."""
    assert await verdicts.decide(CAPTURED, "digest", MORNING) == (CAPTURED, True)
    assert await verdicts.decide(VOIDED, "", MORNING) == (CAPTURED, False)
    assert await verdicts.find(CAPTURED.order_id) == CAPTURED


async def test_the_same_verdict_twice_is_written_once(verdicts: VerdictStore) -> None:
    """A duplicate changes nothing, and knows that it is one."""
    await verdicts.decide(CAPTURED, "digest", MORNING)

    assert await verdicts.decide(CAPTURED, "digest", MORNING) == (CAPTURED, False)
    assert await verdicts.ledger() == (CAPTURED,)


async def test_the_ledger_holds_every_verdict(verdicts: VerdictStore) -> None:
    """With amounts where money was captured, and without where it was not."""
    for verdict in (CAPTURED, DECLINED):
        await verdicts.decide(verdict, "", MORNING)

    assert set(await verdicts.ledger()) == {CAPTURED, DECLINED}
