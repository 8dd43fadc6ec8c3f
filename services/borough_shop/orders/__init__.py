"""Orders: creates exactly one order of a basket, placed and paid or rejected and undone."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from borough.app import Definition
from borough.compose import Composition
from borough_shop.inventory.contract import Inventory
from borough_shop.orders import signals
from borough_shop.orders.contract import OrderPlaced, Orders, OrderStatus
from borough_shop.orders.domain import OrderStore
from borough_shop.orders.laws import LAWS
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.reconcile import Reconcile
from borough_shop.orders.service import OrdersService, Patience
from borough_shop.orders.store import SqlOrders
from borough_shop.payments.contract import Payments
from borough_shop.profiles.contract import Profiles


class OrdersSettings(BaseModel):
    settle_budget_ms: Annotated[int, Field(ge=1)] = Field(
        5_000, description="Time settling an order may take, beyond the order's own deadline."
    )
    reconcile_interval_s: Annotated[float, Field(gt=0, le=3_600)] = Field(
        1, description="How often reconcile looks."
    )


def make(
    part: Composition, store: OrderStore, *, service: type[OrdersService] = OrdersService
) -> OrdersService:
    """The service, and the loop that settles pending orders."""
    own, settings = part.own(OrdersSettings), part.settings
    orders = service(
        store=store,
        profiles=part.ask(Profiles),
        inventory=part.ask(Inventory),
        payments=part.ask(Payments),
        clock=part.clock,
        tasks=part.tasks,
        telemetry=part.telemetry,
        patience=Patience(settings.deadline_ms / 1_000, own.settle_budget_ms / 1_000),
        on_placed=part.wake_relays,
    )
    reconcile = Reconcile(
        service=orders,
        store=store,
        clock=part.clock,
        horizon=settings.reconcile_horizon_s,
        interval=own.reconcile_interval_s,
    )
    part.background("orders.reconcile", reconcile)
    return orders


async def at_rest(store: OrderStore) -> bool:
    """Whether no order is pending."""
    return not await store.overdue(datetime.max.replace(tzinfo=UTC), None, 1)


async def until(store: OrderStore) -> datetime | None:
    """The latest deadline of a pending order."""
    pending = (r for r in await store.ledger() if r.order.status is OrderStatus.PENDING)
    return max((record.deadline for record in pending), default=None)


CAPABILITY = Definition(
    contract=Orders,
    make=make,
    sql=SqlOrders,
    memory=MemoryOrders,
    calls=(Profiles, Inventory, Payments),
    publishes=(OrderPlaced,),
    settings=OrdersSettings,
    signals=signals.ALL,
    laws=LAWS,
    counts=lambda records: Counter(record.order.status.value for record in records),
    at_rest=at_rest,
    until=until,
)
