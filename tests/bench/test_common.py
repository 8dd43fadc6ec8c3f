"""Does the order as most would write it keep the rules of ours? A wrong one would be cheap."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, update

from bench.common.__main__ import MENU
from bench.common.app import Settings, make_app
from bench.common.audit import audit
from bench.common.databases import Databases
from bench.common.models import Article, Event, Notification, Order, Reservation, Verdict

KEYS = {"ada": "key-of-ada", "declined": "key-of-declined", "stranger": "key-of-stranger"}
CARDS = {"ada": "tok_visa_0001", "declined": "tok_declined_0001"}
STOCK = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of the store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
async def db(store: str) -> AsyncIterator[Databases]:
    """The databases, with a little stock."""
    opened = Databases.open(store)
    await opened.create()
    async with opened.inventory.begin() as session:
        session.add_all(
            Article(sku=sku, price_minor=price, currency="EUR", stock=STOCK, received=STOCK)
            for sku, price in MENU.items()
        )
    yield opened
    await opened.close()


@pytest.fixture
async def door(store: str, db: Databases) -> AsyncIterator[httpx.AsyncClient]:
    """The app, with two customers who have a profile and one who has none."""
    patient = Settings(store=store, api_keys=KEYS, pbkdf2_iterations=1, deadline_ms=60_000)
    app = make_app(patient)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://door") as client,
    ):
        for name, card in CARDS.items():
            profile = {"name": name, "email": f"{name}@example.com", "card_token": card}
            done = await client.put("/v1/profile", json=profile, headers=headers(name))
            assert done.status_code == 200
        yield client


def headers(name: str, key: str = "") -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[name]}", "idempotency-key": key}


async def order(
    door: httpx.AsyncClient, name: str, key: str, **quantities: int
) -> tuple[int, dict[str, Any]]:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    done = await door.post("/v1/orders", json={"lines": lines}, headers=headers(name, key))
    return done.status_code, done.json()


async def test_placed_order_is_captured_committed_and_notified(
    door: httpx.AsyncClient, db: Databases
) -> None:
    """The auditor waits for the relay and finds nothing wrong."""
    status, placed = await order(door, "ada", "1", espresso=2, croissant=1)
    report = await audit(db)

    assert (status, placed["status"]) == (201, "placed")
    assert placed["total"] == {"minor": 2 * MENU["espresso"] + MENU["croissant"], "currency": "EUR"}
    assert report == {"clean": True, "orders": {"placed": 1}, "violations": []}


async def test_a_key_stands_for_one_order(door: httpx.AsyncClient, db: Databases) -> None:
    """Sent again or at the same time, the same basket is ordered once; another is refused."""
    answers = await asyncio.gather(*(order(door, "ada", "1", espresso=1) for _ in range(4)))
    again = await order(door, "ada", "1", espresso=1)
    other = await order(door, "ada", "1", espresso=2)

    assert len({body["order_id"] for _, body in answers}) == 1
    assert [status for status, _ in answers].count(201) == 1
    assert {status for status, _ in answers} <= {200, 201, 202}
    assert again[0] == 200
    assert other[0] == 422
    assert (await audit(db))["orders"] == {"placed": 1}


@pytest.mark.parametrize(
    ("name", "quantities", "status", "reason"),
    [
        ("ada", {"espresso": STOCK + 1}, 409, "out-of-stock"),
        ("ada", {"tea": 1}, 409, "unknown-sku"),
        ("stranger", {"espresso": 1}, 409, "profile-missing"),
        ("declined", {"espresso": 1}, 402, "payment-declined"),
    ],
)
async def test_rejected_order_releases_its_stock(  # noqa: PLR0913, PLR0917  # a case has so many columns
    door: httpx.AsyncClient,
    db: Databases,
    name: str,
    quantities: dict[str, int],
    status: int,
    reason: str,
) -> None:
    """It is rejected with its reason, and the rows are consistent."""
    answered = await order(door, name, "1", **quantities)

    assert answered == (status, {"detail": reason})
    assert await audit(db) == {"clean": True, "orders": {"rejected": 1}, "violations": []}
    async with db.inventory() as session:
        assert (await session.get_one(Article, "espresso")).stock == STOCK


async def test_concurrent_orders_do_not_oversell(door: httpx.AsyncClient, db: Databases) -> None:
    """Twice as many customers as pieces, all at once."""
    asked = [order(door, "ada", str(number), espresso=1) for number in range(2 * STOCK)]
    statuses = [status for status, _ in await asyncio.gather(*asked)]

    assert statuses.count(201) == STOCK
    assert statuses.count(409) == STOCK
    assert (await audit(db))["clean"]


async def test_pending_order_is_settled_by_its_verdict(
    door: httpx.AsyncClient, db: Databases
) -> None:
    """As after a crash between the charge and the commit: it is placed, once."""
    _, placed = await order(door, "ada", "1", espresso=1)
    await audit(db)
    async with db.notifications.begin() as session:
        await session.execute(delete(Notification))
    async with db.inventory.begin() as session:
        await session.execute(update(Reservation).values(state="open"))
    async with db.orders.begin() as session:
        await session.execute(delete(Event))
        stands = await session.get_one(Order, UUID(placed["order_id"]))
        stands.status, stands.deadline = "pending", stands.created_at.replace(year=2020)

    assert await audit(db) == {"clean": True, "orders": {"placed": 1}, "violations": []}


@pytest.mark.parametrize(
    ("database", "change", "found"),
    [
        ("notifications", delete(Notification), "notified 0 times"),
        ("payments", update(Verdict).values(outcome="voided"), "paid False"),
        ("payments", update(Verdict).values(amount_minor=1), "are (220, 1, 220)"),
        ("inventory", update(Article).values(stock=STOCK), "1 taken"),
        ("inventory", update(Reservation).values(state="open"), "stock is held"),
    ],
)
async def test_auditor_finds_each_planted_violation(
    door: httpx.AsyncClient, db: Databases, database: str, change: Any, found: str
) -> None:
    """Each is planted in the rows of one good order."""
    await order(door, "ada", "1", espresso=1)
    assert (await audit(db))["clean"]

    async with getattr(db, database).begin() as session:
        await session.execute(change)

    report = await audit(db)
    assert not report["clean"]
    assert found in " ".join(violation["detail"] for violation in report["violations"])
