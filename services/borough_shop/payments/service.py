"""Decides once, per order, whether money was taken; stores the card token only stretched."""

import asyncio
import hashlib
import os
from dataclasses import dataclass, field

from borough import deadline
from borough.clock import Clock
from borough_shop.payments import domain, signals
from borough_shop.payments.contract import Charge, Payments, Verdict, VoidCharge
from borough_shop.payments.domain import VerdictStore
from borough_telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsService(Payments):
    """`iterations` of PBKDF2 are the CPU cost of a charge; 0 for none."""

    store: VerdictStore
    clock: Clock
    telemetry: Telemetry
    iterations: int
    _cores: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1), init=False
    )

    async def charge(self, request: Charge) -> Verdict:
        if (known := await self.store.find(request.order_id)) is not None:
            return known
        return await self._decide(domain.decide(request), await self.stretch(request.card_token))

    async def void(self, request: VoidCharge) -> Verdict:
        return await self._decide(domain.void(request), "")

    async def _decide(self, verdict: Verdict, token_digest: str) -> Verdict:
        stands, ours = await self.store.decide(verdict, token_digest, self.clock.now())
        if ours:
            self.telemetry.count(signals.VERDICTS, outcome=stands.outcome)
        return stands

    async def stretch(self, card_token: str) -> str:
        """In a thread, since hashlib releases the interpreter lock. One per core at a time; raises
        DeadlineExceeded if the caller's deadline passes during the wait.
        """
        if not self.iterations:
            return self.digest(card_token)
        async with self._cores:
            deadline.check("stretching the card token")
            return await asyncio.to_thread(self.digest, card_token)

    def digest(self, card_token: str) -> str:
        """The stretched token, in hexadecimal; blocks for as long as that takes."""
        token = card_token.encode()
        if not self.iterations:
            return hashlib.sha256(domain.SALT + token).hexdigest()
        return hashlib.pbkdf2_hmac("sha256", token, domain.SALT, self.iterations).hex()
