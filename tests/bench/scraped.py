"""A part that exposes a thousand series on its ops port, and as many by prometheus_client's server.

A file of its own because it runs as a process of its own.

python -m bench.scraped
"""

import json
import sys

from prometheus_client import CollectorRegistry, Counter, start_http_server

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


def library_port() -> int:
    """The port on which prometheus_client serves as many series from a thread."""
    registry = CollectorRegistry()
    counter = Counter("library_orders", ORDERS.help, ORDERS.labels, registry=registry)
    for number in range(SERIES):
        counter.labels(f"outcome-{number}", "").inc()
    server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
    return server.server_port


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"library_port": library_port()}) + "\n")
    sys.stdout.flush()
    run(build, Settings(public_port=0, ops_port=0))
