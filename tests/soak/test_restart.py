"""Does anybody notice a restart, where a part has two replicas?"""

import random
from pathlib import Path

from borough_bill.shapes import LocalShape, shape_named
from borough_bill.workload import PLACED, Clients, Shopping, crowd, errands

STOP_WITHIN = 30


async def test_a_restart_behind_two_replicas_fails_no_order(tmp_path: Path) -> None:
    """SIGTERM and restart of any process: every order is placed, and none meets an error."""
    chance = random.Random(7)
    customers = crowd(4)
    keys = {customer.name: customer.key for customer in customers}
    shape = shape_named("microservices")
    town = LocalShape(shape, tmp_path, replicas=2, keys=keys, settings={"DRAIN_S": "0.5"})
    await town.prepare()
    async with town, Clients(town) as clients:
        await clients.introduce(customers)
        menu = await clients.menu(customers[0])
        async with Shopping(clients, errands(chance, customers, menu), at_once=4) as shopping:
            for process in town.processes:
                await shopping.reaches(len(shopping.outcomes) + 5)
                assert await process.terminate(STOP_WITHIN) == 0, process.words()
                await town.restart(process)
            await shopping.reaches(len(shopping.outcomes) + 20)
        assert {outcome.word for outcome in shopping.outcomes} == {PLACED}
        # 0: a customer found the door's replica gone, before it took anything, and asked the other.
        assert {status for o in shopping.outcomes for status in o.statuses} <= {0, 201}
        assert await town.complaint() == ""
