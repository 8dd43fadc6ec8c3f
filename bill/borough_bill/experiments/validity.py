"""E0: is there anything to believe? First: does the generator see a server that stands still?

The rest of E0 needs no run of its own: A/A is a second monolith in every block, and the closure is
that of the ladder with the shapes measured beside it. The bill asks both before it prints a line.
"""

from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator
from borough_bill.results import Freeze


async def freeze(generator: Generator, cpu: int | None) -> Freeze:
    """What the generator says of a server that is frozen 1 s in every 10 s, on core `cpu`."""
    return await freeze_check(generator, cpu)
