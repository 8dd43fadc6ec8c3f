"""Payments: decides once, per order, whether money was taken."""

from typing import Annotated

from pydantic import BaseModel, Field

from borough.app import Definition
from borough.compose import Composition
from borough_shop.payments import signals
from borough_shop.payments.contract import Payments
from borough_shop.payments.domain import VerdictStore
from borough_shop.payments.laws import LAWS
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.payments.service import PaymentsService
from borough_shop.payments.store import SqlVerdicts


class PaymentsSettings(BaseModel):
    pbkdf2_iterations: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        20_000, description="Work payments puts into a card token; 0 for none."
    )


def _make(part: Composition, store: VerdictStore) -> PaymentsService:
    return PaymentsService(
        store=store,
        clock=part.clock,
        telemetry=part.telemetry,
        iterations=part.own(PaymentsSettings).pbkdf2_iterations,
    )


CAPABILITY = Definition(
    contract=Payments,
    make=_make,
    sql=SqlVerdicts,
    memory=MemoryVerdicts,
    settings=PaymentsSettings,
    signals=signals.ALL,
    laws=LAWS,
)
