"""A shape in the foreground, to try its doors."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from borough_bill.experiments.application import SHOP
from borough_bill.load.customers import OrderClient, make_customers
from borough_bill.targets.shapes import LocalShape, shape_named

ORDERS = "/v1/orders"


async def up(  # noqa: PLR0913  # the options of a command
    name: str,
    console: Console,
    *,
    app: str,
    replicas: int,
    settings: Mapping[str, str],
    seed: Mapping[str, str],
    shapes_file: Path | None = None,
) -> None:
    """Start a shape of an application, or of a user's file; stop it when cancelled, as by Ctrl-C.
    The shop has one customer, who has a profile. Raises CommandFailed.
    """
    customers = make_customers(1) if app == SHOP.name else ()
    with tempfile.TemporaryDirectory(prefix="borough-up-") as folder:
        local = LocalShape(
            shape_named(name, shapes_file, app),
            Path(folder),
            app=app,
            replicas=replicas,
            shapes_file=shapes_file,
            settings=settings,
            keys={c.name: c.key for c in customers},
        )
        await local.prepare(seed)
        async with local, OrderClient(local.addresses) as clients:
            await clients.put_profiles(customers)
            for process in local.processes:
                console.print(f"{process.name:20} ops http://127.0.0.1:{process.ports.ops}/readyz")
            door = local.addresses(ORDERS if customers else "/")[0]
            console.print("\nThe door's documentation:", f"{door}/docs")
            for ada in customers:
                console.print("An order:\n")
                console.print(_curl(door, ada.key), highlight=False, soft_wrap=True)
            console.print("\nCtrl-C stops everything; the data goes with it.")
            await asyncio.Event().wait()


def _curl(door: str, key: str) -> str:
    return (
        f"curl -i {door}{ORDERS} -H 'Authorization: Bearer {key}' "
        "-H 'Idempotency-Key: my-first-order' -H 'Content-Type: application/json' "
        """-d '{"lines": [{"sku": "espresso", "quantity": 2}]}'"""
    )
