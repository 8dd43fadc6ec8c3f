"""A part of ours that exposes a thousand series, served by our launcher with its ops port.

A file of its own because it runs as a process of its own.

python -m bench.scraped
"""

from borough.config import Settings
from borough.serving.lifecycle import Part
from borough.serving.server import run
from borough_shop.orders.signals import ORDERS
from borough_telemetry import Telemetry
from serving import hello, small_part

SERIES = 1_000


async def build() -> Part:
    """Its door answers any path from memory, under the whole telemetry pass."""
    telemetry = Telemetry("scraped", log_level="critical")
    for number in range(SERIES):
        telemetry.count(ORDERS, outcome=f"outcome-{number}", reason="")
    door = telemetry.middleware(hello, capability="gateway", trusted=False)
    return small_part(door, telemetry=telemetry)


if __name__ == "__main__":
    run(build, Settings(public_port=0, ops_port=0))
