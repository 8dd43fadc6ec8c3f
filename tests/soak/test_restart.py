"""Does an order fail during a rollout of parts with two replicas?"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from pydantic import SecretStr

from borough import commands
from borough.config import Settings
from borough_bill.load.customers import (
    PLACED,
    ClosedLoop,
    OrderClient,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.processes import Process
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP
from unhurried import UNHURRIED

SETTINGS = UNHURRIED | {"DRAIN_S": "0.5"}
"""On a busy machine a slow request must not count as a lost one."""
STOP_WITHIN = 45
ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))


@pytest.mark.skipif(ROUNDS < 8, reason="make soak restarts two dozen processes")
async def test_rolling_restart_of_two_replicas_fails_no_order(
    sqlite_url: str, tmp_path: Path
) -> None:
    """SIGTERM and restart of every process, half of them at a time: no order meets an error."""
    customers = make_customers(4)
    local = LocalShape(
        shape_named("microservices"),
        tmp_path,
        replicas=2,
        store=sqlite_url,
        keys={customer.name: customer.key for customer in customers},
        settings=SETTINGS,
    )

    async def restart(process: Process) -> None:
        assert await process.terminate(STOP_WITHIN) == 0, process.log_tail()
        await local.restart(process)

    await commands.seed(APP, Settings(store=SecretStr(sqlite_url)), {"stock": "1000000"})
    async with local, OrderClient(local.addresses, timeout_s=45) as clients:
        await clients.put_profiles(customers)
        wanted = order_plans(random.Random(7), customers, await clients.menu(customers[0]))
        async with ClosedLoop(clients, wanted, at_once=4) as shopping:
            for replicas in zip(*local.parts.values(), strict=True):
                await shopping.wait_for(len(shopping.outcomes) + 20)
                await asyncio.gather(*map(restart, replicas))
            await shopping.wait_for(len(shopping.outcomes) + 20)
        assert {outcome.ending for outcome in shopping.outcomes} == {PLACED}
        # 0: a customer found the door's replica gone, before it took anything, and asked the other.
        assert {status for o in shopping.outcomes for status in o.statuses} <= {0, 201}
        audit = await local.audit()
        assert (audit.violations, disagreements(shopping.outcomes, audit)) == ((), ())
