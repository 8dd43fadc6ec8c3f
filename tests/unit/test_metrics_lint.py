"""Does `promtool check metrics` accept the exposition of a working part?"""

import asyncio
import subprocess
from pathlib import Path

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from borough import signals
from borough.compose import build
from borough.stores.sql import Database
from borough_shop.app import APP
from borough_shop.inventory.store import SqlStock, menu
from borough_shop.orders.signals import ORDERS
from borough_telemetry import Format
from borough_telemetry.signals import PROCESS
from parts import settings_with
from programs import program
from serving import HOST, fetch, launched, on_uvloop

ABSENT = "promtool is not installed: apt-get install prometheus"
ORDER = {"lines": [{"sku": "espresso", "quantity": 1}]}
PROFILE = {"name": "Ada", "email": "ada@example.org", "card_token": "tok_visa_1"}


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Path of the binary, which CI requires."""
    return Path(program("promtool", ABSENT))


def lint(promtool: Path, text: bytes) -> tuple[int, str]:
    """Exit code and output of `promtool check metrics`."""
    done = subprocess.run(  # noqa: S603  # a fixed command
        [promtool, "check", "metrics"],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode()


async def seed(url: str) -> None:
    database = Database.open(url, "inventory")
    await SqlStock(database).receive(tuple(menu(100)))
    await database.close()


def test_promtool_accepts_the_exposition_of_a_part(promtool: Path, sqlite_url: str) -> None:
    """The text format is checked after orders, replays and errors of a whole shop; OpenMetrics,
    which Prometheus asks for, has exemplars.
    """
    exposed: dict[Format, bytes] = {}

    @on_uvloop
    async def work() -> None:
        await seed(sqlite_url)
        settings = settings_with(
            APP,
            store=SecretStr(sqlite_url),
            api_keys={"ada": SecretStr("key-of-ada")},
            pbkdf2_iterations=0,
            log_level="error",
            otlp_endpoint="http://127.0.0.1:1",  # exemplars are of exported traces only
        )
        part = await build(APP, settings, tuple(APP.calls))
        part.telemetry.watch_process()
        async with launched(part) as running:
            door = f"http://{HOST}:{running.ports['public']}"
            async with ClientSession(door, headers={"X-API-Key": "key-of-ada"}) as ada:
                await (await ada.put("/v1/profile", json=PROFILE)).read()
                for key in ("one", "two", "one"):
                    headers = {"Idempotency-Key": key}
                    async with ada.post("/v1/orders", json=ORDER, headers=headers) as answer:
                        assert answer.status in {200, 201}, await answer.text()
                await (await ada.get("/nowhere")).read()
            for form in Format:
                exposed[form] = (
                    await asyncio.to_thread(
                        fetch, running.ports["ops"], "/metrics", accept=form.value
                    )
                ).body

    work()
    assert lint(promtool, exposed[Format.TEXT]) == (0, "")
    text = exposed[Format.TEXT].decode()
    for signal in (ORDERS, signals.STORE_TRANSACTIONS, *PROCESS):
        assert f"\n{signal.series}" in text
    assert b"# {trace_id=" in exposed[Format.OPENMETRICS]


def test_promtool_rejects_a_wrong_exposition(promtool: Path) -> None:
    """The check fails for a counter without the suffix `_total`."""
    code, output = lint(promtool, b"# TYPE requests counter\nrequests 1\n")
    assert code != 0
    assert "counter metrics should have" in output
