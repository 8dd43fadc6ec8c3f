"""What a part tells of the ground it stands on: its event loop and its stores.

Whatever can be read is read when it is scraped, and costs nothing in between. Only the event loop
must be asked all the time, since a loop that was late tells nobody afterwards.
"""

from collections.abc import Iterable
from functools import partial
from typing import NoReturn

from borough import signals
from borough.clock import Clock
from borough.stores.limits import Pool
from borough.stores.sql import Database
from borough_telemetry import Telemetry

LOOK_S = 0.25
"""How often the loop is asked; what it costs is below 0.1 % of a core."""
_POOL_FACTS = {
    signals.STORE_CONNECTIONS: "in_use",
    signals.STORE_LIMIT: "limit",
    signals.STORE_WAIT: "waited_s",
}


async def watch_loop(telemetry: Telemetry, clock: Clock) -> NoReturn:
    """Measure, as long as the event loop turns, how late it is: what a request would wait that
    arrived now.
    """
    lag = telemetry.metrics[signals.LOOP_LAG]
    while True:
        due = clock.monotonic() + LOOK_S
        await clock.sleep(LOOK_S)
        lag.observe(max(clock.monotonic() - due, 0.0))


def watch_store(telemetry: Telemetry, database: Database) -> None:
    """Tell of the transactions and the connections of one capability's store."""
    owner = database.capability
    for kind in database.begun:
        read = partial(database.begun.__getitem__, kind)
        telemetry.watch(signals.STORE_TRANSACTIONS, read, capability=owner, kind=kind)
    for pool in database.pools:
        place = {"capability": owner, "pool": pool.name}
        for signal, fact in _POOL_FACTS.items():
            telemetry.watch(signal, partial(getattr, pool, fact), **place)
    missed = partial(_missed, database.pools)
    telemetry.watch(signals.DEADLINE_EXCEEDED, missed, where="store", capability=owner)


def _missed(pools: Iterable[Pool]) -> int:
    return sum(pool.missed for pool in pools)
