"""A shape in the foreground, for whoever wants to knock at its door."""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from borough_bill.load.customers import make_customers
from borough_bill.load.order_client import OrderClient
from borough_bill.targets.shapes import LocalShape, shape_named


async def up(name: str, replicas: int, console: Console, shapes_file: Path | None = None) -> None:
    """Start a shape with one customer who has a profile; stop it when cancelled, as by Ctrl-C.

    The shape is one of ours, or of a file of the user's own.
    """
    (ada,) = customers = make_customers(1)
    with tempfile.TemporaryDirectory(prefix="borough-up-") as folder:
        town = LocalShape(
            shape_named(name, shapes_file),
            Path(folder),
            replicas=replicas,
            shapes_file=shapes_file,
            keys={c.name: c.key for c in customers},
        )
        await town.prepare()
        async with town, OrderClient(town) as clients:
            await clients.put_profiles(customers)
            for process in town.processes:
                console.print(f"{process.name:20} ops http://127.0.0.1:{process.ports.ops}/readyz")
            door = town.addresses("/v1/orders")[0]
            console.print("\nThe door's documentation:", f"{door}/docs")
            console.print("An order:\n")
            console.print(_curl(door, ada.key), highlight=False, soft_wrap=True)
            console.print("\nCtrl-C stops everything; the data goes with it.")
            await asyncio.Event().wait()


def _curl(door: str, key: str) -> str:
    return (
        f"curl -i {door}/v1/orders -H 'Authorization: Bearer {key}' "
        "-H 'Idempotency-Key: my-first-order' -H 'Content-Type: application/json' "
        """-d '{"lines": [{"sku": "espresso", "quantity": 2}]}'"""
    )
