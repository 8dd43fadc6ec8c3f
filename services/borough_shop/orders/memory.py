"""Orders in memory: one order per key, and only a PENDING order changes."""

from dataclasses import replace
from datetime import datetime
from typing import Self
from uuid import UUID

from borough.testing.memory import Checkpoint, Rows, atomic
from borough.testing.outbox import MemoryOutbox
from borough_shop.orders.contract import Order, OrderPlaced, OrderStatus
from borough_shop.orders.domain import Begun, OrderRecord, Refusal, Settled
from borough_shop.values import FIRST_ID, LAST_ID


class MemoryOrders(Rows):
    def __init__(self, outbox: MemoryOutbox) -> None:
        super().__init__()
        self.outbox = outbox
        self._records: dict[UUID, OrderRecord] = {}
        self._keys: dict[tuple[str, str], tuple[UUID, str]] = {}

    def through(self, checkpoint: Checkpoint) -> Self:
        view = super().through(checkpoint)
        view.outbox = self.outbox.through(checkpoint)
        return view

    @atomic
    def begin(
        self, order: Order, key: str, print_: str, deadline: datetime, trace: str | None = None
    ) -> Begun:
        known = self._keys.get((order.customer_id, key))
        if known is not None:
            order_id, stored_print = known
            return Begun(self._records[order_id].order, stored_print, fresh=False)
        self._keys[order.customer_id, key] = order.order_id, print_
        self._records[order.order_id] = OrderRecord(order, deadline, trace)
        return Begun(order, print_, fresh=True)

    @atomic
    def get(self, order_id: UUID) -> Order | None:
        record = self._records.get(order_id)
        return None if record is None else record.order

    @atomic
    def list(self, customer_id: str, before: UUID | None, limit: int) -> tuple[Order, ...]:
        mine = (r.order for r in self._records.values() if r.order.customer_id == customer_id)
        older = (order for order in mine if order.order_id < (before or LAST_ID))
        return tuple(sorted(older, key=lambda order: order.order_id, reverse=True)[:limit])

    @atomic
    def place(self, event: OrderPlaced) -> Settled:
        settled = self._settle(
            event.order_id,
            status=OrderStatus.PLACED,
            lines=event.lines,
            total=event.total,
            settled_at=event.placed_at,
        )
        if settled.changed:
            self.outbox.enqueue(event, self._records[event.order_id].trace, event.placed_at)
        return settled

    @atomic
    def reject(self, order_id: UUID, refusal: Refusal, at: datetime) -> Settled:
        changes = {"reason": refusal.reason, "detail": refusal.detail, "settled_at": at}
        return self._settle(order_id, status=OrderStatus.REJECTED, **changes)

    def _settle(self, order_id: UUID, **changes: object) -> Settled:
        record = self._records[order_id]
        if record.order.status is not OrderStatus.PENDING:
            return Settled(record.order, changed=False)
        order = record.order.model_copy(update=changes)
        self._records[order_id] = replace(record, order=order)
        return Settled(order, changed=True)

    @atomic
    def overdue(
        self, deadline_before: datetime, after: UUID | None, limit: int
    ) -> tuple[OrderRecord, ...]:
        pending = (r for r in self._records.values() if r.order.status is OrderStatus.PENDING)
        late = (record for record in pending if record.deadline < deadline_before)
        page = (record for record in late if record.order.order_id > (after or FIRST_ID))
        return tuple(sorted(page, key=lambda record: record.order.order_id)[:limit])

    @atomic
    def ledger(self) -> tuple[OrderRecord, ...]:
        return tuple(self._records.values())
