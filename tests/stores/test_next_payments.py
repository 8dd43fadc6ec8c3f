"""Is the later version of payments, to which a cluster is upgraded under load, compatible?"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from borough.stores.migrations import migrate
from borough.stores.revisions import is_current
from borough.stores.sql import Database
from borough_shop.app import APP
from borough_shop.payments import domain
from borough_shop.payments.contract import Charge, VoidCharge
from borough_shop.payments.store import SqlVerdicts
from borough_shop.values import Money
from e2e.next import version

MIGRATIONS = APP.definitions["payments"].migrations
FIRST, SECOND = UUID(int=1), UUID(int=0xABCDEF)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
EUR = Money(minor=440, currency="EUR")
LATER = """
import asyncio, sys
from uuid import UUID
from borough_shop.payments.contract import Charge
from borough_shop.values import Money
from borough.clock import Clock
from borough.stores.sql import Database
from borough_telemetry import Telemetry
from borough.stores.migrations import migrate
from borough_shop.app import APP
from borough_shop.payments.service import PaymentsService
from borough_shop.payments.store import SqlVerdicts

url, order = sys.argv[1], UUID(sys.argv[2])
migrate(url, "payments", APP.definitions["payments"].migrations)

async def charge():
    database = Database.open(url, "payments")
    service = PaymentsService(
        store=SqlVerdicts(database), clock=Clock(), telemetry=Telemetry("later"), iterations=0
    )
    amount = Money(minor=440, currency="EUR")
    asked = Charge(order_id=order, amount=amount, card_token="tok_visa_0001")
    decided, found = await service.charge(asked), await service.charge(asked)
    assert decided == found
    print(found.model_dump_json())
    await database.close()

asyncio.run(charge())
"""


def charge_of(order_id: UUID) -> Charge:
    return Charge(order_id=order_id, amount=EUR, card_token="tok_visa_0001")


@pytest.fixture
def later_verdict(sqlite_url: str, tmp_path: Path) -> dict[str, object]:
    """What the later version returns for the charge of FIRST, after it migrated the store."""
    later = tmp_path / "later"
    shutil.copytree(
        version.SERVICES / "borough_shop",
        later / "borough_shop",
        ignore=shutil.ignore_patterns("*.pyc"),
    )
    version.change(later)
    done = subprocess.run(  # noqa: S603  # fixed arguments
        [sys.executable, "-c", LATER, sqlite_url, str(FIRST)],
        env={**os.environ, "PYTHONPATH": str(later)}, capture_output=True, text=True, check=False,
    )  # fmt: skip  # the command on one line, as one would type it
    assert done.returncode == 0, done.stderr
    verdict: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return verdict


async def test_both_versions_of_payments_share_one_schema(
    later_verdict: dict[str, object], sqlite_url: str
) -> None:
    """The later one migrates and returns a receipt; this one then works on the newer schema, and
    reads the verdicts of both.
    """
    assert later_verdict["receipt"] == FIRST.hex[-12:]
    assert await asyncio.to_thread(migrate, sqlite_url, "payments", MIGRATIONS) == "payments_0002"
    database = Database.open(sqlite_url, "payments")
    try:
        store = SqlVerdicts(database)
        assert is_current(await database.revision(), "payments", MIGRATIONS)
        decided, ours = await store.decide(domain.decide(charge_of(SECOND)), "digest", NOW)
        stands, _ = await store.decide(domain.void(VoidCharge(order_id=FIRST)), "", NOW)
        assert ours
        assert set(await store.ledger()) == {decided, stands}
        assert stands == domain.decide(charge_of(FIRST))
    finally:
        await database.close()


def test_diff_that_does_not_apply_is_refused(tmp_path: Path) -> None:
    """The error names the file that has changed, and no version is built."""
    for name in version.changed():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("moved on\n")
    with pytest.raises(version.NotBuilt, match=version.changed()[0]):
        version.change(tmp_path)
