"""Does an order survive the death of the process that works on it?

BOROUGH_SOAK_ROUNDS says how often to kill; `make soak` asks for 20. All rounds of a shape share
their processes and their stores, so that damage of an early round shows in a later one.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from pydantic import SecretStr

from borough import commands
from borough.config import Settings
from borough_bill.load.customers import (
    ClosedLoop,
    OrderClient,
    Outcome,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP

ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))
SETTINGS = {"RECONCILE_HORIZON_S": "1", "RECONCILE_INTERVAL_S": "0.5", "OUTBOX_LEASE_S": "2"}
"""What a killed process left open is taken up soon: the next round waits for it."""


@pytest.mark.parametrize(
    "name",
    [
        "microservices",
        pytest.param(
            "monolith",
            marks=pytest.mark.skipif(ROUNDS < 8, reason="make soak kills the monolith too"),
        ),
    ],
)
async def test_every_order_is_settled_after_a_killed_process(
    name: str, sqlite_url: str, tmp_path: Path
) -> None:
    """SIGKILL at a random moment under load: nothing lost, charged twice or oversold."""
    seed = random.SystemRandom().randrange(1_000_000)
    chance = random.Random(seed)
    customers = make_customers(8, declined=1)
    local = LocalShape(
        shape_named(name),
        tmp_path,
        store=sqlite_url,
        keys={customer.name: customer.key for customer in customers},
        settings=SETTINGS,
    )
    settings = Settings(store=SecretStr(sqlite_url))
    await commands.seed(APP, settings, {"stock": str(50 * ROUNDS), "only": "espresso"})
    await commands.seed(APP, settings, {"stock": "1000000"})
    async with local, OrderClient(local.addresses) as clients:
        await clients.put_profiles(customers)
        others = [sku for sku in await clients.menu(customers[0]) if sku != "espresso"]
        wanted = order_plans(chance, customers, ("espresso", *others))
        outcomes: list[Outcome] = []
        victims = chance.sample(local.processes, len(local.processes))  # in turn
        for number in range(ROUNDS):
            victim = victims[number % len(victims)]
            scene = f"seed {seed}, round {number}: killed {victim.name}"
            async with ClosedLoop(clients, wanted, at_once=8) as shopping:
                await shopping.wait_for(chance.randint(8, 60))
                await asyncio.sleep(chance.uniform(0, 0.05))  # anywhere within an order
                await victim.kill()
                await local.restart(victim)
                await shopping.wait_for(len(shopping.outcomes) + 30)
            assert [o for o in shopping.outcomes if not o.settled] == [], scene
            outcomes += shopping.outcomes
            audit = await local.audit()
            assert (audit.violations, disagreements(outcomes, audit)) == ((), ()), scene
