"""Which metrics does a part expose of its process, event loop, stores and queues?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, select

from borough import deadline, signals
from borough.compose import PartBuilder
from borough.errors import DeadlineExceeded, Unavailable
from borough.serving import lifecycle
from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement
from borough.testing.clock import ManualClock
from borough.testing.servers import listen, url_of
from borough.transport.resilience import FAILURES
from borough_shop.app import APP
from borough_shop.orders.store import orders
from borough_shop.profiles.contract import GetProfile, Profiles
from borough_telemetry import Format, Telemetry
from borough_telemetry.signals import Signal
from parts import settings_with
from serving import launched, on_uvloop, small_part, until
from transactions import held_open

READ = Statement(select(orders))
WRITE = Statement(delete(orders))


def exposed(telemetry: Telemetry, signal: Signal, **labels: str) -> float | None:
    """The value of one series; None where there is none."""
    text = b"".join(telemetry.pieces(Format.TEXT)).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == signal.series and sample.labels == labels:
                return float(sample.value)
    return None


@pytest.fixture
def telemetry() -> Telemetry:
    """Telemetry without observations."""
    return Telemetry("t", log_level="critical")


@pytest.fixture
async def database(sqlite_url: str, telemetry: Telemetry) -> AsyncIterator[Database]:
    """The store of orders, observed: two readers, one writer."""
    database = Database.open(sqlite_url, "orders", pool_size=2)
    lifecycle.watch_store(telemetry, database)
    yield database
    await database.close()


async def test_lag_of_a_blocked_loop_is_measured(telemetry: Telemetry) -> None:
    """The lag is how long after its time the timer ran."""
    clock = ManualClock()
    watching = asyncio.create_task(lifecycle.watch_loop(telemetry, clock))
    lag = telemetry.metrics[signals.LOOP_LAG]

    async def come(late: float) -> None:
        seen = sum(lag.counts)
        await until(lambda: clock.sleeping == 1)
        clock.advance(lifecycle.LOOK_S + late)
        await until(lambda: sum(lag.counts) > seen)

    await come(late=0)
    assert lag.total == pytest.approx(0)
    await come(late=0.3)
    assert lag.total == pytest.approx(0.3)
    watching.cancel()


async def test_transactions_of_a_store_are_counted_by_kind(
    telemetry: Telemetry, database: Database
) -> None:
    """Each once, whether it is committed or rolled back."""

    async def fail(_: Transaction) -> None:
        raise ZeroDivisionError

    await database.execute(READ)
    for _ in range(2):
        with suppress(ZeroDivisionError):
            await database.transaction(fail)
    told_of = {
        kind: exposed(telemetry, signals.STORE_TRANSACTIONS, capability="orders", kind=kind)
        for kind in ("read", "write")
    }
    assert told_of == {"read": 1, "write": 2}


async def test_connections_in_use_and_waits_of_a_store_are_exposed(
    telemetry: Telemetry, database: Database
) -> None:
    """Connections in use beside their limit, the time of waiting, and the number of timeouts."""
    place = {"capability": "orders", "pool": "writer"}

    def writer(signal: Signal) -> float | None:
        return exposed(telemetry, signal, **place)

    async with held_open(database):
        assert writer(signals.STORE_CONNECTIONS) == writer(signals.STORE_LIMIT) == 1
        assert writer(signals.STORE_WAIT) == 0
        with deadline.within(0.01), pytest.raises(DeadlineExceeded):
            await database.execute(WRITE)
    assert writer(signals.STORE_CONNECTIONS) == 0
    assert (writer(signals.STORE_WAIT) or 0) > 0
    missed = exposed(telemetry, signals.DEADLINE_EXCEEDED, where="store", capability="orders")
    assert missed == 1
    assert exposed(telemetry, signals.STORE_LIMIT, capability="orders", pool="reader") == 2


async def test_pool_shared_by_two_kinds_is_exposed_once(
    postgresql_url: str, telemetry: Telemetry
) -> None:
    """PostgreSQL's readers and writers share their connections: the limit is not doubled."""
    database = Database.open(postgresql_url, "orders", pool_size=3)
    lifecycle.watch_store(telemetry, database)
    async with held_open(database), held_open(database):
        place = {"capability": "orders", "pool": "shared"}
        assert exposed(telemetry, signals.STORE_CONNECTIONS, **place) == 2
        assert exposed(telemetry, signals.STORE_LIMIT, **place) == 3
    await database.close()


@on_uvloop
async def test_running_part_measures_its_loop() -> None:
    """Whatever it hosts, and from the start."""
    part = small_part()
    async with launched(part):
        lag = part.telemetry.metrics[signals.LOOP_LAG]
        await until(lambda: sum(lag.counts) > 0)
    assert f"{signals.LOOP_LAG.name}_count" in part.telemetry.exposition().decode()


@asynccontextmanager
async def door_asking(
    telemetry: Telemetry, url: str, call_timeout_ms: int = 600_000
) -> AsyncIterator[Profiles]:
    """The door with a remote peer for profiles."""
    settings = settings_with(APP, peers={"profiles": (url,)}, call_timeout_ms=call_timeout_ms)
    part = PartBuilder(APP, settings, telemetry)
    try:
        yield part.ask(Profiles, from_door=True)
    finally:
        await part.close()


async def test_open_breaker_is_exposed(telemetry: Telemetry) -> None:
    """From the start, and once it opened."""
    async with door_asking(telemetry, "http://127.0.0.1:1") as profiles:
        assert exposed(telemetry, signals.BREAKER_OPEN, peer="profiles") == 0
        assert exposed(telemetry, signals.RETRY_BUDGET) == 0
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                await profiles.get(GetProfile(customer_id="ada"))
        assert exposed(telemetry, signals.BREAKER_OPEN, peer="profiles") == 1
        assert exposed(telemetry, signals.BREAKER_OPENED, peer="profiles") == 1


async def test_call_that_missed_its_deadline_is_counted(telemetry: Telemetry) -> None:
    """By the peer; here one that accepts the connection and never answers."""
    with listen() as silent:
        silent.listen()
        async with door_asking(telemetry, url_of(silent), call_timeout_ms=50) as profiles:
            with pytest.raises(DeadlineExceeded):
                await profiles.get(GetProfile(customer_id="ada"))
    assert exposed(telemetry, signals.DEADLINE_EXCEEDED, where="call", capability="profiles") == 1


async def test_hosted_store_is_exposed(telemetry: Telemetry, sqlite_url: str) -> None:
    """Without any code in the capability."""
    part = PartBuilder(APP, settings_with(APP, store=sqlite_url), telemetry)
    part.compose(["profiles"])
    place = {"capability": "profiles", "pool": "writer"}
    assert exposed(telemetry, signals.STORE_LIMIT, **place) == 1
    await part.close()


def test_failed_read_leaves_out_its_series_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Its series is left out, and the log names it."""
    telemetry = Telemetry("t")
    telemetry.watch(signals.RETRY_BUDGET, lambda: 1 / 0)
    text = b"".join(telemetry.pieces(Format.TEXT)).decode()
    assert "\nborough_retry_budget " not in text
    assert "\nhttp_server_active_requests 0" in text
    assert "borough_retry_budget" in capsys.readouterr().out
