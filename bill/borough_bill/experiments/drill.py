"""The drill on the screen: the shop in four shapes, with one process killed in each under load.

It measures neither speed nor size; the bill does. Hops are read from the parts' own metrics, around
one order in an otherwise idle shape.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
)
from rich.table import Table

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
from borough_bill.targets.shapes import CommandFailed, LocalShape, Shape, shape_named

SHAPES = ("monolith", "apis", "extract-payments", "microservices")
WHAT_NEXT = """
To place orders yourself: [bold]{python} -m borough_bill up microservices[/] starts a shape, prints
the addresses of its doors, and stops it on Ctrl-C. Every shape answers alike.
"""
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
    shape: Shape, folder: Path, chance: random.Random, progress: Progress, task: TaskID
) -> Finding:
    """Run the drill of one shape, from empty stores in `folder` to the audit; it proceeds as `task`
    of `progress`.
    """

    def step(what: str) -> None:
        progress.update(task, description=what)

    customers = make_customers(CUSTOMERS, declined=1)
    keys = {customer.name: customer.key for customer in customers}
    local = LocalShape(shape, folder, keys=keys, settings=SETTINGS)
    step("making the stores")
    await local.prepare({"only": SCARCE, "stock": str(STOCK)}, {})
    step("starting")
    async with local, OrderClient(local.addresses) as clients:
        await clients.put_profiles(customers)
        others = [sku for sku in await clients.menu(customers[0]) if sku != SCARCE]
        step("counting the hops of one order")
        first, hops = await hops_of(
            local, clients, OrderPlan(customers[0], "the-first-order", ((others[0], 1),))
        )
        step("taking orders")
        victim = chance.choice(local.processes)
        orders = islice(order_plans(chance, customers, (SCARCE, *others)), ORDERS)
        async with ClosedLoop(
            clients, orders, at_once=CUSTOMERS, on_outcome=lambda _: progress.advance(task)
        ) as shopping:
            await shopping.wait_for(ORDERS // 2)
            step(f"{victim.name} is killed")
            await victim.kill()
            await local.restart(victim)
            step(f"{victim.name} is back")
            await shopping.wait_for(ORDERS)
        step("running the auditor")
        audit = await local.audit()
    step("done")
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


def drill(seed: int, console: Console, python: str) -> bool:
    """Show every shape; whether all are clean. `python` is the command that a user would type."""
    console.print(
        f"\n[bold]Borough[/]: one code base, {len(SHAPES)} shapes. In each, {CUSTOMERS} customers "
        f"place {ORDERS} orders; half way\nthrough, one process is killed and restarted. "
        f"Seed {seed}.\n"
    )
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    findings = []
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[shape]:17}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=console,
    )
    with bars as progress, tempfile.TemporaryDirectory(prefix="borough-") as folder:
        for name in SHAPES:
            home = Path(folder, name)
            home.mkdir()
            task = progress.add_task("", total=ORDERS, shape=name)
            one = drill_shape(shape_named(name), home, chance, progress, task)
            findings.append(asyncio.run(one))
    console.print(_table(findings))
    for finding in findings:
        for violation in finding.violations:
            console.print(f"[red]{finding.shape.name}[/]: {violation}", highlight=False)
    clean = all(finding.clean for finding in findings)
    if clean:
        console.print(
            "The auditor read every store: no order lost, charged twice or oversold.\n"
            "The stores hold exactly the orders that the customers were answered."
        )
    console.print(WHAT_NEXT.format(python=python))
    return clean


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(show_lines=True)
    for heading in ("Shape", "Parts", "Hops of an order", f"{ORDERS} orders", "Killed", "Auditor"):
        table.add_column(heading)
    for finding in findings:
        noun = "process" if finding.processes == 1 else "processes"
        parts = finding.shape.parts.items()
        table.add_row(
            f"[bold]{finding.shape.name}[/]\n{finding.processes} {noun}",
            "\n".join(p if of == (p,) else f"{p}: {', '.join(of)}" for p, of in parts),
            "\n".join((f"[bold]{finding.hops.total()}[/]", *sorted(finding.hops.elements()))),
            "\n".join(f"{number:3} {word}" for word, number in finding.orders.items()),
            finding.killed,
            "[green]clean[/]" if finding.clean else "[red]violations[/]",
        )
    return table
