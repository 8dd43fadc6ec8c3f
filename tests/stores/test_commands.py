"""What do the commands report of a store, and of one that is absent?"""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from borough import commands
from borough.cli import main
from borough.config import Settings
from borough.errors import Unavailable
from borough.stores.sql import Database
from borough.testing.clock import MORNING
from borough_shop.app import APP
from borough_shop.notifications.store import SqlNotifications
from shop.samples import an_event, an_order

FOREVER_S = 300


@pytest.mark.parametrize(("command", "first"), [("audit", "orders"), ("seed", "orders")])
def test_store_that_is_not_migrated_is_refused_with_an_error(
    command: str,
    first: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, and the command that migrates it."""
    monkeypatch.setenv("BOROUGH_STORE", f"sqlite:///{tmp_path}")
    monkeypatch.setattr(sys, "argv", ["borough", command])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2
    sentence = f"borough: the schema of {first} is not migrated: run `borough migrate`\n"
    assert capsys.readouterr() == ("", sentence)


async def test_audit_counts_the_parked_events(sqlite_url: str) -> None:
    """A parked event violates no invariant, but it is counted and shown."""
    settings = Settings(store=SecretStr(sqlite_url))
    event = an_event(an_order(1))
    database = Database.open(sqlite_url, "notifications")
    notifications = SqlNotifications(database)
    await notifications.open((event,), MORNING)
    await notifications.fail(event.event_id, 1, MORNING)
    await database.close()

    report = await commands.audit(APP, settings, wait=False)
    assert report.as_dict()["notifications"] == {"parked": 1}
    assert "notifications: 1 parked;" in str(report)


def test_migration_waits_for_a_database_that_starts_late(
    empty_postgresql_url: str, tmp_path: Path
) -> None:
    """It reports once what it waits for, and after its timeout that there is none."""
    url, _, socket = empty_postgresql_url.partition("?host=")
    late = tmp_path / "late"
    settings = Settings(store=SecretStr(f"{url}?host={late}"))
    with pytest.raises(Unavailable, match="the store of orders cannot be reached"):
        commands.migrate(APP, settings, ["orders"])

    reported: list[str] = []

    def come(line: str) -> None:
        reported.append(line)
        late.symlink_to(socket)

    (orders, payments) = commands.migrate(
        APP, settings, ["orders", "payments"], wait_s=FOREVER_S, say=come
    )
    assert orders.startswith("orders: ")
    assert payments.startswith("payments: ")
    assert reported == ["the store of orders cannot be reached: it is tried again every 1 s"]
