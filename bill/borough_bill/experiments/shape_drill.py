"""The drill of one shape: the hops of an order, a process killed under load, and the audit.

Hops are read from the parts' own metrics, around one order in an otherwise idle shape.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from borough_bill.load.customers import (
    ENDINGS,
    PLACED,
    ClosedLoop,
    OrderClient,
    OrderPlan,
    Outcome,
    count_by_ending,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.shapes import CommandFailed, LocalShape, Shape

ORDERS = 300
CUSTOMERS = 8
SCARCE, STOCK = "beans-250", 120
"""The article that most orders contain, and its stock, which is less than they need."""
SETTINGS = {
    "RECONCILE_HORIZON_S": "1",
    "RECONCILE_INTERVAL_S": "0.5",
    "OUTBOX_LEASE_S": "2",
    "LOG_LEVEL": "error",
}
"""Short times, so that what a killed process left open is resumed within the drill."""

HOPS = "http_client_request_duration_seconds_count"
DELIVERIES = "borough_outbox_deliveries_total"
DELIVERED_WITHIN_S = 30.0
POLL_EVERY_S = 0.05


class Progress(Protocol):
    """Called as the drill proceeds."""

    def step(self, what: str) -> None:
        """A step begins."""
        ...

    def settled(self, outcome: Outcome) -> None:
        """An order has its final outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one shape. `hops` counts calls between parts; `violations` are the auditor's,
    and differences between the customers' answers and the stores.
    """

    shape: Shape
    processes: int
    hops: Counter[str]
    orders: dict[str, int]
    killed: str
    violations: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """There is no violation, and every order has a final outcome."""
        return not self.violations and self.orders.keys() <= ENDINGS


async def drill_shape(
    shape: Shape, folder: Path, chance: random.Random, progress: Progress
) -> Finding:
    """Run the drill of one shape, from empty stores in `folder` to the audit."""
    customers = make_customers(CUSTOMERS, declined=1)
    keys = {customer.name: customer.key for customer in customers}
    local = LocalShape(shape, folder, keys=keys, settings=SETTINGS)
    progress.step("making the stores")
    await local.prepare({"only": SCARCE, "stock": str(STOCK)}, {})
    progress.step("starting")
    async with local, OrderClient(local.addresses) as clients:
        await clients.put_profiles(customers)
        others = [sku for sku in await clients.menu(customers[0]) if sku != SCARCE]
        progress.step("counting the hops of one order")
        first, hops = await hops_of(
            local, clients, OrderPlan(customers[0], "the-first-order", ((others[0], 1),))
        )
        progress.step("taking orders")
        victim = chance.choice(local.processes)
        orders = islice(order_plans(chance, customers, (SCARCE, *others)), ORDERS)
        async with ClosedLoop(
            clients, orders, at_once=CUSTOMERS, on_outcome=progress.settled
        ) as shopping:
            await shopping.wait_for(ORDERS // 2)
            progress.step(f"{victim.name} is killed")
            await victim.kill()
            await local.restart(victim)
            progress.step(f"{victim.name} is back")
            await shopping.wait_for(ORDERS)
        progress.step("running the auditor")
        audit = await local.audit()
    progress.step("done")
    return Finding(
        shape=shape,
        processes=len(local.processes),
        hops=hops,
        orders=count_by_ending(shopping.outcomes),
        killed=victim.name,
        violations=(*audit.violations, *disagreements([first, *shopping.outcomes], audit)),
    )


async def hops_of(
    local: LocalShape, clients: OrderClient, plan: OrderPlan
) -> tuple[Outcome, Counter[str]]:
    """The outcome of an order, and its calls between parts until its notification is delivered."""
    before, delivered = await local.counts(HOPS, "peer", "method"), await local.counts(DELIVERIES)
    outcome = await clients.run(plan)
    if outcome.ending != PLACED:
        raise CommandFailed(f"{local.shape.name}: the first order is {outcome.ending}, not placed")
    async with asyncio.timeout(DELIVERED_WITHIN_S):
        while await local.counts(DELIVERIES) == delivered:  # noqa: ASYNC110  # the event is in another process
            await asyncio.sleep(POLL_EVERY_S)
    return outcome, await local.counts(HOPS, "peer", "method") - before
