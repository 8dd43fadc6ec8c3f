"""An order from its request until it is settled, by the one verdict of payments."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from borough import deadline
from borough.clock import Clock
from borough.errors import BoroughError, NotFound
from borough.serving.lifecycle import Tasks
from borough_shop.errors import KeyReused
from borough_shop.inventory.contract import Inventory, OrderRef, Reservation, Reserve
from borough_shop.orders import domain, signals
from borough_shop.orders.contract import (
    GetOrder,
    ListOrders,
    Order,
    OrderPage,
    Orders,
    Placement,
    PlaceOrder,
)
from borough_shop.orders.domain import ABANDONED, OrderStore, Refusal, Settled
from borough_shop.payments.contract import Charge, Outcome, Payments, Verdict, VoidCharge
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.values import total_of
from borough_telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits in seconds: of an order, and of settling it."""

    order: float = 2.0
    settle: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersService(Orders):
    """Places orders. One that has begun is completed, also if its caller is cancelled."""

    store: OrderStore
    profiles: Profiles
    inventory: Inventory
    payments: Payments
    clock: Clock
    tasks: Tasks
    telemetry: Telemetry
    patience: Patience = Patience()
    on_placed: Callable[[], None] = lambda: None

    async def place(self, request: PlaceOrder) -> Placement:
        with deadline.within(self.patience.order) as left:
            now = self.clock.now()
            order = domain.new_order(request, self.clock.new_id(), now)
            print_ = domain.fingerprint(request.basket)
            begun = await self.store.begin(
                order,
                request.key,
                print_,
                deadline=now + timedelta(seconds=left),
                trace=self.telemetry.traceparent(),
            )
            if begun.fingerprint != print_:
                raise KeyReused(f"Idempotency-Key {request.key!r} stands for another basket")
            if not begun.fresh:
                return Placement(order=begun.order, replayed=True)
            return Placement(order=await self.tasks.run(self._fulfil(order)), replayed=False)

    async def _fulfil(self, order: Order) -> Order:
        """Reserve, charge, settle. No step before settle starts after the deadline."""
        verdict: Verdict | None = None
        refused: Refusal | None = ABANDONED  # before a charge is sent, orders decides
        try:
            profile, reservation = await self._prepare(order)
            deadline.check("charging the card")
            charge = Charge(
                order_id=order.order_id,
                amount=total_of(reservation.lines),
                card_token=profile.card_token,
            )
            refused = None  # from here on payments decides
            verdict = await self.payments.charge(charge)
        except BoroughError as error:
            if refused is not None:
                refused = domain.refusal(error)
        return await self.settle(order, verdict=verdict, refused=refused)

    async def _prepare(self, order: Order) -> tuple[Profile, Reservation]:
        """The profile and the reservation, concurrently; both are always awaited."""
        deadline.check("reserving")
        asking = asyncio.create_task(self.profiles.get(GetProfile(customer_id=order.customer_id)))
        try:
            reservation = await self.inventory.reserve(
                Reserve(order_id=order.order_id, lines=order.basket.lines)
            )
        except asyncio.CancelledError:
            asking.cancel()
            raise
        except Exception:
            await asking  # its own error takes precedence
            raise
        return await asking, reservation

    async def settle(
        self, order: Order, *, verdict: Verdict | None = None, refused: Refusal | None = None
    ) -> Order:
        """Settle an order; the request and reconcile may do so concurrently.

        `refused` may be passed only by a caller that has sent no charge. Without it and without a
        verdict payments decides: VOIDED unless there is a verdict already. An order whose settling
        fails stays PENDING, and reconcile repeats it.
        """
        try:
            with deadline.budget(self.patience.settle):
                if refused is None and verdict is None:
                    verdict = await self.payments.void(VoidCharge(order_id=order.order_id))
                if verdict is not None and verdict.outcome is Outcome.CAPTURED:
                    settled = await self._take(order)
                else:
                    settled = await self._give_back(order, refused or domain.refusal_of(verdict))
        except BoroughError as error:
            self.telemetry.log.warning(
                "order left pending", order_id=str(order.order_id), error=str(error)
            )
            with deadline.budget(self.patience.settle):
                return await self.store.get(order.order_id) or order
        if settled.changed:
            self.telemetry.count(
                signals.ORDERS, outcome=settled.order.status, reason=settled.order.reason or ""
            )
        return settled.order

    async def _take(self, order: Order) -> Settled:
        """After a captured charge: commit the stock, and write order and event together."""
        held = await self.inventory.commit(OrderRef(order_id=order.order_id))
        event = domain.placed_event(order, held.lines, self.clock.new_id(), self.clock.now())
        settled = await self.store.place(event)
        if settled.changed:
            self.on_placed()
        return settled

    async def _give_back(self, order: Order, why: Refusal) -> Settled:
        """Without a captured charge: release the stock, also of a reserve that arrives later."""
        await self.inventory.release(OrderRef(order_id=order.order_id))
        return await self.store.reject(order.order_id, why, self.clock.now())

    async def get(self, request: GetOrder) -> Order:
        order = await self.store.get(request.order_id)
        if order is None or order.customer_id != request.customer_id:
            raise NotFound(f"you have no order {request.order_id}")
        return order

    async def list(self, request: ListOrders) -> OrderPage:
        orders = await self.store.list(request.customer_id, request.before, request.limit + 1)
        page = orders[: request.limit]
        return OrderPage(
            orders=page, next_before=page[-1].order_id if len(orders) > len(page) else None
        )
