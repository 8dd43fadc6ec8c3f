"""Are the last pieces sold once, when many orders want them at the same time?"""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from borough import commands
from borough.config import Settings
from borough_bill.load.customers import (
    PLACED,
    OrderClient,
    OrderPlan,
    count_by_ending,
    make_customers,
)
from borough_bill.targets.shapes import LocalShape, read_shapes
from borough_shop.app import APP
from unhurried import UNHURRIED

PIECES, ORDERS, CUSTOMERS = 50, 200, 20
SCARCE = "cold-brew"


@pytest.mark.parametrize("name", tuple(read_shapes()))
async def test_fifty_of_two_hundred_orders_get_the_last_fifty_pieces(
    name: str, store_url: str, tmp_path: Path
) -> None:
    """No piece is sold twice and none is left, in every shape, on both databases."""
    customers = make_customers(CUSTOMERS)
    local = LocalShape(
        read_shapes()[name],
        tmp_path,
        store=store_url,
        keys={customer.name: customer.key for customer in customers},
        settings=UNHURRIED,  # only the stock rejects an order
    )
    settings = Settings(store=SecretStr(store_url))
    await commands.seed(APP, settings, {"stock": str(PIECES), "only": SCARCE})
    async with local, OrderClient(local.addresses, timeout_s=610) as clients:
        await clients.put_profiles(customers)
        outcomes = await asyncio.gather(
            *(
                clients.run(OrderPlan(customers[number % CUSTOMERS], str(uuid4()), ((SCARCE, 1),)))
                for number in range(ORDERS)
            )
        )
        assert count_by_ending(outcomes) == {PLACED: PIECES, "out-of-stock": ORDERS - PIECES}
        assert {status for o in outcomes for status in o.statuses} == {
            201,
            409,
        }  # no request was repeated
        assert (await commands.audit(APP, settings, wait=True)).violations == ()
