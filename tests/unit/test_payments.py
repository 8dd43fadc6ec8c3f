"""Is there one verdict per order, made by the first request and final?"""

import asyncio
import hashlib
import os
import threading
from datetime import datetime
from itertools import permutations
from uuid import UUID

import pytest

from borough import deadline
from borough.errors import DeadlineExceeded
from borough.testing.clock import ManualClock, deadlines_by
from borough.testing.memory import atomic
from borough_shop.payments.contract import Charge, Outcome, Verdict, VoidCharge
from borough_shop.payments.domain import DECLINED_PREFIX, SALT, decide, void
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.payments.service import PaymentsService
from borough_shop.payments.signals import VERDICTS
from borough_shop.values import Money
from borough_telemetry import Telemetry

ORDER_ID = UUID(int=1)
PRICE = Money(minor=420, currency="EUR")
GOOD = Charge(order_id=ORDER_ID, amount=PRICE, card_token="tok_good")
BAD = GOOD.model_copy(update={"card_token": f"{DECLINED_PREFIX}_1"})
VOID = VoidCharge(order_id=ORDER_ID)


class Digests(MemoryVerdicts):
    """Remembers the digest that was stored for the card token."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    @atomic
    def decide(self, verdict: Verdict, token_digest: str, at: datetime) -> tuple[Verdict, bool]:
        ours = verdict.order_id not in self._verdicts
        self.kept.append(token_digest)
        return self._verdicts.setdefault(verdict.order_id, verdict), ours


def service(store: MemoryVerdicts | None = None, iterations: int = 0) -> PaymentsService:
    """Payments with these verdicts, or with an empty store."""
    return PaymentsService(
        store=store or MemoryVerdicts(),
        clock=ManualClock(),
        telemetry=Telemetry("test", log_level="critical"),
        iterations=iterations,
    )


async def ask(payments: PaymentsService, request: Charge | VoidCharge) -> Verdict:
    """Charge or void."""
    if isinstance(request, Charge):
        return await payments.charge(request)
    return await payments.void(request)


def test_accepted_card_is_charged_in_full() -> None:
    """CAPTURED has the amount."""
    assert decide(GOOD) == Verdict(order_id=ORDER_ID, outcome=Outcome.CAPTURED, amount=PRICE)


def test_declined_card_is_not_charged() -> None:
    """DECLINED has no amount."""
    assert decide(BAD) == Verdict(order_id=ORDER_ID, outcome=Outcome.DECLINED)


def test_void_has_no_amount() -> None:
    """VOIDED has no amount."""
    assert void(VOID) == Verdict(order_id=ORDER_ID, outcome=Outcome.VOIDED)


@pytest.mark.parametrize("requests", list(permutations([GOOD, BAD, VOID])))
async def test_first_request_decides_and_later_ones_get_its_verdict(
    requests: tuple[Charge | VoidCharge, ...],
) -> None:
    """Charge or void, in any order: there is one verdict, and every request returns it."""
    payments = service()
    answers = [await ask(payments, request) for request in requests]
    assert answers == [answers[0]] * len(requests)
    assert len(await payments.store.ledger()) == 1


async def test_only_a_new_verdict_is_counted() -> None:
    """A repeated charge does not increment the counter, which counts verdicts that were written."""
    payments = service()
    for _ in range(3):
        await payments.charge(GOOD)
    series = f'{VERDICTS.name}_total{{outcome="captured"}} 1.0'
    assert series in payments.telemetry.exposition().decode()


@pytest.mark.parametrize("iterations", [0, 10])
async def test_card_token_is_stretched_before_it_is_stored(iterations: int) -> None:
    """The token itself never reaches the store; with iterations it is hashed by PBKDF2."""
    store = Digests()
    await service(store, iterations).charge(GOOD)
    token = GOOD.card_token.encode()
    expected = (
        hashlib.pbkdf2_hmac("sha256", token, SALT, iterations)
        if iterations
        else hashlib.sha256(SALT + token).digest()
    )
    assert store.kept == [expected.hex()]


async def test_charge_past_its_deadline_is_not_stretched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests wait for a core in turn; one whose deadline passes meanwhile fails without a
    charge.
    """
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    stretched, at_work, go_on = list[bytes](), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def stretch(_: str, token: bytes, *__: object) -> bytes:
        stretched.append(token)
        loop.call_soon_threadsafe(at_work.set)
        go_on.wait()
        return token

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", stretch)
    payments, clock = service(iterations=1), ManualClock()
    later = GOOD.model_copy(update={"order_id": UUID(int=2), "card_token": "tok_late"})
    with deadlines_by(clock):
        first = asyncio.create_task(payments.charge(GOOD))
        await at_work.wait()
        with deadline.within(1):
            second = asyncio.create_task(payments.charge(later))
        await asyncio.sleep(0)
        clock.advance(1)
        go_on.set()
        assert (await first).outcome is Outcome.CAPTURED
        with pytest.raises(DeadlineExceeded, match="stretching"):
            await second
    assert stretched == [GOOD.card_token.encode()]
    assert len(await payments.store.ledger()) == 1


async def test_void_stores_no_card() -> None:
    """A void has no card token."""
    store = Digests()
    await service(store).void(VOID)
    assert store.kept == [""]


async def test_known_order_is_answered_without_stretching() -> None:
    """A repeated charge returns before the token is stretched, so repeating cannot exhaust
    the CPU.
    """
    store = Digests()
    payments = service(store)
    await payments.void(VOID)
    await payments.charge(GOOD)
    assert store.kept == [""]
