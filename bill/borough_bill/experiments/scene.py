"""What the drill shows of one shape: an order's hops, a death half way, the books.

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
    OrderPlan,
    Outcome,
    count_by_ending,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.load.order_client import ClosedLoop, OrderClient
from borough_bill.targets.shapes import CommandFailed, LocalShape, Shape

ORDERS = 300
CUSTOMERS = 8
SCARCE, STOCK = "beans-250", 120
"""The article most customers want, and too few pieces of it."""
SETTINGS = {
    "RECONCILE_HORIZON_S": "1",
    "RECONCILE_INTERVAL_S": "0.5",
    "OUTBOX_LEASE_S": "2",
    "LOG_LEVEL": "error",
}
"""What a killed process left open is taken up soon, so that nobody waits for it at the screen."""

HOPS = "http_client_request_duration_seconds_count"
DELIVERIES = "borough_outbox_deliveries_total"
DELIVERED_WITHIN = 30.0
LOOK_EVERY = 0.05


class Watcher(Protocol):
    """Somebody who follows the scene."""

    def step(self, what: str) -> None:
        """Something begins."""
        ...

    def settled(self, outcome: Outcome) -> None:
        """An order came to its end."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What one shape showed. `hops` counts calls between parts; `complaints` are the auditor's,
    and the customers' where they were told otherwise than the books say.
    """

    shape: Shape
    processes: int
    hops: Counter[str]
    orders: dict[str, int]
    killed: str
    complaints: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Nobody complains, and every order came to a proper end."""
        return not self.complaints and self.orders.keys() <= ENDINGS


async def play(shape: Shape, folder: Path, chance: random.Random, watcher: Watcher) -> Finding:
    """One shape, from empty stores in `folder` to the auditor's word."""
    customers = make_customers(CUSTOMERS, declined=1)
    keys = {customer.name: customer.key for customer in customers}
    town = LocalShape(shape, folder, keys=keys, settings=SETTINGS)
    watcher.step("making the stores")
    await town.prepare({"only": SCARCE, "stock": str(STOCK)}, {})
    watcher.step("starting")
    async with town, OrderClient(town) as clients:
        await clients.put_profiles(customers)
        others = [sku for sku in await clients.menu(customers[0]) if sku != SCARCE]
        watcher.step("counting the hops of one order")
        first, hops = await hops_of(
            town, clients, OrderPlan(customers[0], "the-first-order", ((others[0], 1),))
        )
        watcher.step("taking orders")
        victim = chance.choice(town.processes)
        orders = islice(order_plans(chance, customers, (SCARCE, *others)), ORDERS)
        async with ClosedLoop(
            clients, orders, at_once=CUSTOMERS, on_outcome=watcher.settled
        ) as shopping:
            await shopping.wait_for(ORDERS // 2)
            watcher.step(f"{victim.name} is killed")
            await victim.kill()
            await town.restart(victim)
            watcher.step(f"{victim.name} is back")
            await shopping.wait_for(ORDERS)
        watcher.step("asking the auditor")
        audit = await town.audit()
    watcher.step("done")
    return Finding(
        shape=shape,
        processes=len(town.processes),
        hops=hops,
        orders=count_by_ending(shopping.outcomes),
        killed=victim.name,
        complaints=(*audit.violations, *disagreements([first, *shopping.outcomes], audit)),
    )


async def hops_of(
    town: LocalShape, clients: OrderClient, errand: OrderPlan
) -> tuple[Outcome, Counter[str]]:
    """An order, and the calls between parts it makes until its notification is delivered."""
    before, delivered = await town.counts(HOPS, "peer", "method"), await town.counts(DELIVERIES)
    outcome = await clients.run(errand)
    if outcome.ending != PLACED:
        raise CommandFailed(f"{town.shape.name}: the first order is {outcome.ending}, not placed")
    async with asyncio.timeout(DELIVERED_WITHIN):
        while await town.counts(DELIVERIES) == delivered:  # noqa: ASYNC110  # not in this process
            await asyncio.sleep(LOOK_EVERY)
    return outcome, await town.counts(HOPS, "peer", "method") - before
